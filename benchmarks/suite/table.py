"""The tidy table: a row is one figure of one entrant of one cell. It is also what says which cells are done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.publishing import RESULTS
from benchmarks.suite.cells import Cell

SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("cell", "data", "search", "level", "entrant", "role", "task", "measure")]
    + [(name, pa.float64()) for name in ("value", "deviation", "low", "high")]
    + [(name, pa.int64()) for name in ("runs", "searches", "num_params", "macs")]
    + [("device_seconds", pa.float64()), ("cell_seconds", pa.float64()), ("verdict", pa.string())]
    + [("data_digest", pa.string()), ("commit", pa.string())]
)
"""``measure``: ``test:<metric>``, ``gain`` (over single-task networks), or ``beyond:<rival>`` with its interval."""


def path_of(*, quick: bool) -> Path:
    """Where the table lies."""
    return RESULTS / ("suite_quick.parquet" if quick else "suite.parquet")


def kept(path: Path) -> list[dict[str, Any]]:
    """Rows so far."""
    return pq.read_table(path).to_pylist() if path.exists() else []


def save(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write all rows; a reader sees the old table or the new one."""
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".new")
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA), beside)
    os.replace(beside, path)


def tidy(cell: Cell, report: Mapping[str, Any], *, seconds: float) -> list[dict[str, Any]]:
    """A report as rows of the table."""
    common = {
        "cell": cell.digest,
        "data": cell.data.name,
        "search": cell.search,
        "level": report["level"],
        "searches": report["search"]["searches"],
        "cell_seconds": seconds,
        "verdict": report["verdict"],
        "data_digest": report["data_digest"],
        "commit": commit(),
    }
    rows = []
    for row in report["rows"]:
        of_row = common | {"entrant": row["label"], "role": row["role"], "runs": row["seeds"]}
        of_row |= {name: row[name] for name in ("num_params", "macs", "device_seconds")}
        for task, figures in row["per_task"].items():
            rows.append(of_row | _figure(task, f"test:{figures['metric']}", figures["test"]))
            rows.append(of_row | _figure(task, "gain", figures["gain"]))
        rows += [of_row | _figure(task, "gain", row[f"{task}_gain"]) for task in ("mean", "worst")]
    for compared in report["comparisons"]:
        of_pair = common | {"entrant": compared["first"], "role": "answer", "runs": compared["seeds"]}
        for task, found in compared["differences"].items():
            low, high = found["interval"] or (None, None)
            told = {"task": task.removesuffix("_gain"), "measure": f"beyond:{compared['second']}"}
            rows.append(of_pair | told | {"value": found["mean"], "low": low, "high": high})
    return rows


@cache
def commit() -> str:
    """The commit that the settings are frozen in, as it is when first asked, marked where files differ from it."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*"]
    found = subprocess.run(asked, cwd=RESULTS.parent, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _figure(task: str, measure: str, found: Mapping[str, float | None]) -> dict[str, Any]:
    return {"task": task, "measure": measure, "value": found["mean"], "deviation": found["deviation"]}
