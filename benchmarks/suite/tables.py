"""Real tables: Census-Income, flights, drug consumption, yeast. Every draw takes other rows for each part.

Census-Income keeps to its files: rows to train on come from ``.data``, those of ``valid`` and ``test`` from fixed
halves of ``.test``; all rows are the catalogue's own split. Flights: so many rows to train and to choose on, a sixth of
them for ``valid``, and 20,000 for ``test``. Drug consumption: 60/10/10/20 per cent, stratified by cannabis. Yeast:
70/10/20.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.answers import PROBLEMS, TEST_ROWS, Problem, drawn
from benchmarks.suite.data_sets import BY_PART, PART, DataSet, Document, binary

GROUPS = {"income-marital": ("income", "marital"), "education-marital": ("education", "marital")}
ALL = ("income", "marital", "education")
ROWS = "rows.parquet"
_CANNABIS = "drug18"
_CENSUS_ROWS = (2_000, 10_000)


def real_tables(*, quick: bool) -> list[DataSet]:
    """All of them; the quick ones have 1,000 rows."""
    if quick:
        return [_census("census/1000", ALL, 1_000), _flights("flights/1000", 1_000), drugs(), yeast()]
    found = [_census(f"census-{group}/{rows}", tasks, rows) for group, tasks in GROUPS.items() for rows in _CENSUS_ROWS]
    found += [_census(f"census/{rows}", ALL, rows) for rows in _CENSUS_ROWS]
    found += [_whole_census(f"census-{group}", tasks) for group, tasks in GROUPS.items()]
    found.append(_whole_census("census", ALL))
    found.append(_census("census/10000, 1 % of income", ALL, 10_000, rare=("income", 0.01)))
    return [*found, _flights("flights/20000", 20_000), _flights_by_month(), drugs(), yeast()]


def _census(name: str, tasks: Sequence[str], rows: int, *, rare: tuple[str, float] | None = None) -> DataSet:
    """``rare``: a task, and the share of the training rows that keep its label."""
    problem = replace(PROBLEMS["census"], labels=tuple(tasks), rows=rows)

    def write(folder: Path, draw: int) -> Document:
        found = census_rows(problem, draw)
        if rare is not None:
            label, share = rare
            hidden = (found[PART] == "train") & (np.random.default_rng([draw, 8]).random(len(found)) >= share)
            found[label] = found[label].astype("Int8").mask(hidden)
        found.to_parquet(folder / ROWS)
        return _data(problem, BY_PART)

    return DataSet(name=name, write=write, tasks=binary(*tasks))


def _whole_census(group: str, tasks: Sequence[str]) -> DataSet:
    """All rows, in the catalogue's own split."""
    source = {"kind": "catalogue", "name": "census-income"}
    return DataSet(name=f"{group}/199523", write=lambda folder, draw: {"source": source}, tasks=binary(*tasks))


def census_rows(problem: Problem, draw: int) -> pd.DataFrame:
    """A draw of rows of each part; no row of ``.test`` is trained on, none is in ``valid`` and in ``test``."""
    table = _kept("census")
    of_test = np.random.default_rng(0).permutation(np.flatnonzero(table["file"] == "test"))
    pools = {"train": np.flatnonzero(table["file"] == "data")}
    pools |= dict(zip(("valid", "test"), np.array_split(of_test, 2), strict=True))
    counts = {"train": problem.rows, "valid": max(1_000, problem.rows // 5), "test": TEST_ROWS}
    rng = np.random.default_rng([draw, 7])
    parts = {part: rng.permutation(pool)[: counts[part]] for part, pool in pools.items()}
    columns = [*problem.numbers, *problem.categories, *problem.labels]
    found = [table.iloc[rows][columns].assign(**{PART: part}) for part, rows in parts.items()]
    return pd.concat(found, ignore_index=True)


def _flights(name: str, rows: int) -> DataSet:
    problem = replace(PROBLEMS["flights"], table=_table_of("flights"), rows=rows)
    return DataSet(name=name, write=lambda folder, draw: _write(problem, folder, draw), tasks=binary(*problem.labels))


def _flights_by_month() -> DataSet:
    """The catalogue's own split, by months, with a sample of the rows that is the same in every draw."""
    tasks = tuple({"name": name, "kind": "binary", "label": name} for name in PROBLEMS["flights"].labels)
    data = {"source": {"kind": "catalogue", "name": "flights"}, "max_rows": 40_000}
    return DataSet(name="flights/by month", write=lambda folder, draw: data, tasks=tasks)


def drugs() -> DataSet:
    """Fifteen drugs, used within a year, of 1,885 people."""
    problem = PROBLEMS["drugs"]

    def write(folder: Path, draw: int) -> Document:
        problem.table().to_parquet(folder / ROWS)
        split = {"kind": "ratio", "stratify": [_CANNABIS], "valid": 0.1, "test": 0.2, "seed": draw}
        return _data(problem, split) | {"search_share": 1 / 7}

    return DataSet(name="drugs", write=write, tasks=binary(*problem.labels))


def yeast() -> DataSet:
    """Fourteen functional classes of 2,417 genes, from the package river."""
    labels, numbers = (tuple(f"Class{n}" for n in range(1, 15)), tuple(f"Att{n}" for n in range(1, 104)))
    problem = Problem(table=_yeast, labels=labels, numbers=numbers, categories=(), rows=0)

    def write(folder: Path, draw: int) -> Document:
        problem.table().to_parquet(folder / ROWS)
        return _data(problem, {"kind": "ratio", "valid": 0.1, "test": 0.2, "seed": draw})

    return DataSet(name="yeast", write=write, tasks=binary(*labels))


def _write(problem: Problem, folder: Path, draw: int) -> Document:
    drawn(problem, draw).to_parquet(folder / ROWS)
    return _data(problem, BY_PART)


def _data(problem: Problem, split: Document) -> dict[str, object]:
    features = [{"column": name, "kind": "numeric"} for name in problem.numbers]
    features += [{"column": name, "kind": "categorical"} for name in problem.categories]
    return {"source": {"kind": "file", "paths": [ROWS]}, "features": features, "split": dict(split)}


@cache
def _kept(name: str) -> pd.DataFrame:
    return PROBLEMS[name].table()


def _table_of(name: str) -> Callable[[], pd.DataFrame]:
    return lambda: _kept(name)


def _yeast() -> pd.DataFrame:
    found = importlib.util.find_spec("river")
    assert found is not None, "pip install mtnas[benchmarks] brings river"
    (folder,) = found.submodule_search_locations or [""]
    return pd.read_csv(Path(folder) / "datasets" / "yeast.csv.gz")
