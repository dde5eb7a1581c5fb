"""Shared inputs: a small table of people with every kind of column, and what a request for it looks like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv

from mtnas.data import DataAccess
from mtnas.data.data_spec import DataSpec, Feature, FileSource
from mtnas.tasks import Task, TaskKind

NUM_ROWS = 400

FEATURES = (
    Feature(column="city", kind="categorical"),
    Feature(column="age", kind="numeric"),
    Feature(column="height", kind="numeric"),
    Feature(column="likes", kind="multi_valued", separator="|"),
    Feature(column="place", kind="dense_vector", separator=" "),
)

TASKS = (
    Task(name="rich", kind=TaskKind.BINARY, label="rich"),
    Task(name="wage", kind=TaskKind.REGRESSION, label="wage"),
    Task(name="job", kind=TaskKind.MULTICLASS, label="job", num_classes=3),
)


def people(num_rows: int = NUM_ROWS, *, seed: int = 0) -> pa.Table:
    """Rows with missing values in most columns; ``person`` groups them, ``day`` orders them."""
    rng = np.random.default_rng(seed)

    def some_missing(values: np.ndarray, share: float = 0.1) -> pa.Array:
        return pa.array(values, mask=rng.random(num_rows) < share)

    likes = ["|".join(rng.choice(["tea", "jazz", "go", "rain"], size=rng.integers(0, 4))) for _ in range(num_rows)]
    return pa.table(
        {
            "city": some_missing(rng.choice(["Rome", "Oslo", "Lima"], num_rows)),
            "age": some_missing(rng.integers(0, 99, num_rows)),
            "height": rng.normal(170, 10, num_rows),
            "likes": likes,
            "place": [f"{x:.3f} {y:.3f}" for x, y in rng.normal(size=(num_rows, 2))],
            "person": rng.integers(0, 60, num_rows),
            "day": rng.integers(0, 50, num_rows),
            "half": rng.choice(["a", "b", "c"], num_rows),
            "rich": some_missing(rng.integers(0, 2, num_rows), 0.2),
            "wage": some_missing(rng.normal(30, 5, num_rows), 0.2),
            "job": rng.integers(0, 3, num_rows),
        }
    )


def write_csv(table: pa.Table, folder: Path, name: str = "people.csv") -> str:
    """The table as a CSV file of the folder; its name."""
    pc_csv.write_csv(table, folder / name)
    return name


def access_to(folder: Path) -> DataAccess:
    """Access to the folder's files, with a cache beside them."""
    return DataAccess(roots=(folder,), cache=folder / "cache", data_dir=None)


def spec_for(name: str, **changes: object) -> DataSpec:
    """A request for a file with the features above."""
    return DataSpec.model_validate({"source": FileSource(paths=(name,)), "features": FEATURES} | changes)


def replaced(table: pa.Table, column: str, values: object) -> pa.Table:
    """The table with other values in a column."""
    return table.set_column(table.column_names.index(column), column, pa.array(values))
