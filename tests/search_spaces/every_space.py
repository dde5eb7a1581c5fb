"""Every space of the catalogue at a size that tests can train, and inputs that fit it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtnas.routes import InputShape
from mtnas.spaces import SearchSpace
from mtnas.tasks import Task, TaskKind
from search_spaces import build

TASKS = (
    Task(name="a", kind=TaskKind.BINARY, label="a", tower=(3,)),
    Task(name="b", kind=TaskKind.MULTICLASS, label="b", tower=(), num_classes=3),
    Task(name="c", kind=TaskKind.REGRESSION, label="c", tower=(3,)),
)
VECTORS = InputShape(vocabularies=(5, 3), embedding_widths=(2, 1), num_numeric=3)
SEQUENCES = InputShape(num_numeric=2 * 3)
IMAGES = InputShape(num_numeric=2 * 6 * 5)

SMALL: Mapping[str, tuple[str, Mapping[str, Any], InputShape]] = {
    "adashare": ("adashare", {"layers": 3, "width": 4}, VECTORS),
    "automtl": ("automtl", {"experts": 3, "operations": 2, "hidden": (2, 5), "width": 4}, VECTORS),
    "automtl masks": (
        "automtl",
        {"feature_parts": 2, "experts": 3, "operations": 2, "hidden": (2, 5), "width": 4},
        VECTORS,
    ),
    "branching": ("branching", {"layers": 3, "subnets": 3, "width": 4}, VECTORS),
    "branching widths": ("branching", {"layers": 2, "subnets": 2, "width": 4, "widths": (2, 5)}, VECTORS),
    "compositional": ("compositional", {"depth": 2, "pool": 2, "width": 4}, VECTORS),
    "controller": ("controller", {"experts": 4, "layers": 1, "width": 4, "rank": 2}, VECTORS),
    "dselect_k": ("dselect_k", {"experts": 5, "k": 2, "layers": 2, "width": 4}, VECTORS),
    "dselect_k per example": ("dselect_k", {"experts": 5, "k": 3, "width": 4, "per_example": True}, VECTORS),
    "gumbel_matrix": ("gumbel_matrix", {"layers": 2, "components": 3, "width": 4}, VECTORS),
    "gumbel_matrix images": ("gumbel_matrix", {"layers": 2, "image": (2, 6, 5), "channels": 4}, IMAGES),
    "interactions": ("interactions", {"layers": 2, "subnets": 2, "width": 4, "rank": 2}, VECTORS),
    "interactions widths": (
        "interactions",
        {"layers": 2, "subnets": 2, "width": 4, "widths": (2, 5), "rank": 2, "identity": True},
        VECTORS,
    ),
    "joint": ("joint", {"layers": 2, "components": 3, "width": 4, "max_inputs": 2}, VECTORS),
    "mt_rmn": ("mt_rmn", {"channels": 2, "steps": 3, "subnets": 3, "units": 4, "decoder": 3}, SEQUENCES),
    "mtnas": ("mtnas", {"layers": 2, "subnets": 3, "width": 4}, VECTORS),
    "mtnas widths": ("mtnas", {"layers": 2, "subnets": 3, "width": 4, "widths": (2, 5, 8)}, VECTORS),
    "snr": ("snr", {"layers": 2, "subnets": 3, "width": 4}, VECTORS),
    "sparse_sharing": ("sparse_sharing", {"layers": 2, "groups": 3, "units": 8, "width": 8}, VECTORS),
    "snr widths": ("snr", {"layers": 2, "subnets": 2, "width": 4, "widths": (2, 5)}, VECTORS),
    "snr trans": ("snr", {"layers": 2, "subnets": 3, "width": 4, "transform": True}, VECTORS),
}


def small_space(name: str) -> tuple[SearchSpace, InputShape]:
    """One of ``SMALL``, with its inputs."""
    scheme, options, inputs = SMALL[name]
    return build(scheme, TASKS, options), inputs
