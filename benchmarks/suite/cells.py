"""The cells of the suite: a data set, a draw of its rows, a search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.suite.data_sets import DataSet
from benchmarks.suite.generated import generated
from benchmarks.suite.images import images
from benchmarks.suite.recommendation import recommendation
from benchmarks.suite.searches import OF_IMAGES, ROWS_AT_MOST, SEARCHES, full_job, quick_job
from benchmarks.suite.tables import real_tables
from mtnas.data.access import data_dir_from_environment

_ROWS = {"drugs": 1_885, "yeast": 2_417, "omniglot": 10_000}


@dataclass(frozen=True)
class Cell:
    """One job. ``parts``: of its specification, without data and tasks."""

    data: DataSet
    search: str
    draw: int
    parts: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """Tells cells apart; another setting is another cell."""
        whole = [self.data.name, self.data.tasks, self.data.parts, self.search, self.draw, self.parts]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]

    def document(self, folder: Path) -> dict[str, Any]:
        """The job's specification; what it reads is written into the folder."""
        said = {"name": "suite", "data": self.data.write(folder, self.draw), "tasks": list(self.data.tasks)}
        return said | {"seed": self.draw} | dict(self.parts)


def cells(*, quick: bool) -> list[Cell]:
    """All cells, in the order in which they are run."""
    sets = [*real_tables(quick=quick), *generated(quick=quick), *images(quick=quick)]
    root = data_dir_from_environment()
    if root is not None and not quick:
        sets += recommendation(root)
    return [
        Cell(data, search, 0, _parts(data, search, quick=quick))
        for data in sets
        for search in _searches(data, quick=quick)
    ]


def chosen(found: Sequence[Cell], only: Sequence[str]) -> list[Cell]:
    """Cells whose data set, its family or whose search is named; all where nothing is.

    Raises:
        ValueError: a name that no cell has.
    """
    known = {name for cell in found for name in (cell.data.name, cell.data.family, cell.search)}
    unknown = sorted(set(only) - known)
    if unknown:
        raise ValueError(f"--only: expected some of {sorted(known)}, found {unknown}")
    return [c for c in found if not only or {c.data.name, c.data.family, c.search} & set(only)]


def _searches(data: DataSet, *, quick: bool) -> Sequence[str]:
    if data.image is not None:
        return OF_IMAGES
    return ("reinforce",) if quick else tuple(SEARCHES)


def _parts(data: DataSet, search: str, *, quick: bool) -> dict[str, Any]:
    if quick:
        return quick_job(search, image=data.image)
    parts = full_job(search, num_tasks=len(data.tasks), rows=_rows(data), image=data.image)
    return parts | dict(data.parts or {})


def _rows(data: DataSet) -> int:
    """Rows to train and to choose on, about: what budgets are reckoned from."""
    if data.family in _ROWS:
        return _ROWS[data.family]
    numbers = [int(word) for word in data.name.replace(",", " ").replace("/", " ").split() if word.isdigit()]
    return min(max(numbers, default=40_000), ROWS_AT_MOST)
