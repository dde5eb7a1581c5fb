"""What is tried on every data set: searches with the space that each is made for, at one budget, and the protocol.

Every cell is one job, which brings the baselines, random search of equal budget, boosted trees, linear models and the
ensemble with it. Budgets are in candidate-steps: as many as ``TRAININGS`` trainings of a baseline take.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mtnas.spec import BASELINES, TrainingSpec

TRAININGS, ROWS_AT_MOST = 48, 250_000
_LAYERED = {"name": "mtnas", "options": {"layers": 2, "subnets": 4, "width": 64}}
SEARCHES: Mapping[str, Mapping[str, Any]] = {
    "reinforce": {"search": {"kind": "reinforce"}, "space": _LAYERED},
    "darts": {"search": {"kind": "darts"}, "space": _LAYERED},
    "one_shot": {"search": {"kind": "one_shot"}, "space": _LAYERED},
    "gumbel": {"search": {"kind": "gumbel"}, "space": {"name": "gumbel_matrix"}},
    "branching": {"search": {"kind": "branching"}, "space": {"name": "joint"}},
    "snr": {"search": {"kind": "snr"}, "space": {"name": "snr"}},
    "dselect_k": {"search": {"kind": "dselect_k"}, "space": {"name": "dselect_k"}},
    "sparse_sharing": {"search": {"kind": "sparse_sharing"}, "space": {"name": "sparse_sharing"}},
    "adashare": {"search": {"kind": "adashare"}, "space": {"name": "adashare"}},
    "automtl": {"search": {"kind": "automtl"}, "space": {"name": "automtl"}},
    "evolution": {"search": {"kind": "evolution"}, "space": _LAYERED},
    "tpe": {"search": {"kind": "tpe"}, "space": _LAYERED},
}
OF_IMAGES = ("gumbel",)
_PARTITIONS_UP_TO = 4  # tasks: of more there are too many partitions
_NEED_AN_ORDER = ("aitm", "esmm")  # of tasks, as click before purchase


def full_job(search: str, *, num_tasks: int, rows: int, image: tuple[int, int, int] | None) -> dict[str, Any]:
    """Parts of a job at the headline level: ten independent searches, ten seeds, every baseline that applies."""
    chosen = SEARCHES[search]
    length = TrainingSpec().length(num_rows=rows, num_tasks=num_tasks)
    steps = TRAININGS * length.epochs * math.ceil(rows / length.batch_size)
    protocol: dict[str, Any] = {"level": "headline"}
    if image is None:
        left_out = {*_NEED_AN_ORDER, *(() if num_tasks <= _PARTITIONS_UP_TO else ("partitions",))}
        protocol["baselines"] = [name for name in BASELINES if name not in left_out]
    return {
        "search": chosen["search"],
        "space": _space(chosen["space"], image),
        "protocol": protocol,
        "budget": {"trials": 512, "candidate_steps": steps},
        "export": {"top": 0},
    }


def quick_job(search: str, *, image: tuple[int, int, int] | None) -> dict[str, Any]:
    """Parts of a job that shows that everything runs: three seeds, short trainings; it proves nothing."""
    chosen = SEARCHES[search]
    return {
        "search": dict(chosen["search"]) | {"least_steps": 50, "screen": 4},
        "space": _space(chosen["space"], image),
        "training": {"epochs": 2, "batch_size": 64, "lr": 0.01, "weight_decay": 0.01, "extend": 0},
        "protocol": {"level": "standard", "seeds": 3, "finalists": 1, "baselines": ["single_task", "shared_bottom"]}
        | {"boosted_trees": False},
        "budget": {"trials": 16},
        "export": {"top": 0},
    }


def _space(space: Mapping[str, Any], image: tuple[int, int, int] | None) -> dict[str, Any]:
    if image is None:
        return dict(space)
    return {"name": "gumbel_matrix", "options": {"layers": 4, "channels": 8, "image": list(image)}}
