"""A whole job over a user's own file of sequences: columns of lists, recurrent modules, an export that runs alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from mtnas.data import DataAccess
from mtnas.errors import MtnasError
from mtnas.run import MemoryJournal
from mtnas.spec import JobSpec
from tests.lean import NO_MODELS
from tests.run.jobs import run, spec_of

STEPS = 6


def write(folder: Path) -> None:
    """Two measured quantities over time as columns of lists; what the tasks ask for stands at the end of each."""
    rng = np.random.default_rng(0)
    load, heat = rng.normal(5, 2, (600, STEPS)), rng.normal(-1, 3, (600, STEPS))
    table = {
        "load": list(load),
        "heat": list(heat),
        "next_load": load[:, -1] + 0.5 * load[:, -2],
        "heats_up": heat[:, -1] > heat[:, -2],
    }
    parquet.write_table(pa.table(table), folder / "plant.parquet")


def spec(**space: int) -> JobSpec:
    return spec_of(
        data={
            "source": {"kind": "file", "paths": ["plant.parquet"]},
            "features": [{"column": name, "kind": "sequence"} for name in ("load", "heat")],
        },
        tasks=[
            {"name": "next_load", "kind": "regression", "tower": []},
            {"name": "heats_up", "kind": "binary", "tower": []},
        ],
        space={
            "name": "mt_rmn",
            "options": {"channels": 2, "layers": 1, "subnets": 2, "units": 8, "decoder": 8} | space,
        },
        training={"batch_size": 32, "epochs": 20, "lr": 0.02},
        search={"kind": "reinforce", "epochs": 2, "routes_per_step": 4, "reward_rows": 32},
        protocol={
            "level": "quick",
            "baselines": [],
            "seeds": 1,
            "finalists": 1,
            **NO_MODELS,
        },
        export={"top": 1},
    )


def test_a_file_of_sequences_is_searched_and_exported(tmp_path: Path) -> None:
    write(tmp_path)
    journal = MemoryJournal(tmp_path / "exports")
    report = run(spec(steps=STEPS), journal, DataAccess(roots=(tmp_path,), cache=tmp_path / "cache"))
    row = next(row for row in report["rows"] if row["role"] == "finalist")
    assert row["per_task"]["heats_up"]["test"]["mean"] > 0.9  # AUC; a coin has .5
    assert set(journal.exports) == {report["best"]["route_digest"], report["ensemble"]["digest"]}
    found = journal.exports[report["best"]["route_digest"]]
    assert "Recurrent(2, 6, 8, last=False)" in (found / "model.py").read_text()


def test_sequences_of_another_length_are_refused_with_both_numbers(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(MtnasError, match=r"expected .*14.*found.*12|expected .*12.*found.*14"):
        run(spec(steps=STEPS + 1), MemoryJournal(), DataAccess(roots=(tmp_path,), cache=tmp_path / "cache"))
