"""Small data as people bring it: files written for a test, what they are read as, and modules' preprocessing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.csv as pc_csv

from mtnas.data import DataAccess, EncodedData, load
from mtnas.data.catalogue import SourceTable
from mtnas.data.data_spec import DataSpec, FileSource
from mtnas.data.sources.file_tables import Wanted
from mtnas.data.sources.sources import open_source
from mtnas.export.preprocessing_tables import preprocessing_json, vocabularies_json
from mtnas.export.standalone.preprocessing import Preprocessing
from mtnas.tasks import Task, TaskKind

TASKS = (Task(name="y", kind=TaskKind.BINARY, label="y"),)


def access(folder: Path) -> DataAccess:
    return DataAccess(roots=(folder,), cache=folder / ".cache")


def read(folder: Path, *names: str, skip: Sequence[str] = (), **source: Any) -> SourceTable:
    """The files of a folder as a source reads them."""
    opened = open_source(FileSource(paths=names or ("d.csv",), **source), access=access(folder))
    return opened.read(Wanted(skip=frozenset(skip)))


def loaded(folder: Path, *names: str, spec: dict[str, Any] | None = None, **source: Any) -> EncodedData:
    """The files of a folder encoded for a binary label ``y``."""
    request = DataSpec(source=FileSource(paths=names or ("d.csv",), **source), **(spec or {}))
    return load(request, TASKS, access=access(folder))


def labelled(columns: dict[str, Sequence[Any]], *, num_rows: int = 200) -> pd.DataFrame:
    """A frame that repeats the given values, with a label and a number beside them."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: [values[i % len(values)] for i in range(num_rows)] for name, values in columns.items()})
    return frame.assign(x=rng.normal(size=num_rows).round(4), y=rng.integers(0, 2, num_rows))


def module(data: EncodedData) -> Preprocessing:
    """The preprocessing that an export of this data carries, through JSON."""
    arguments = [f"bag_{index}" for index in range(len(data.schema.bags))]
    documents = (preprocessing_json(data.schema, bag_arguments=arguments), vocabularies_json(data.schema))
    return Preprocessing(*(json.loads(json.dumps(document)) for document in documents))


def readers(path: Path, *, delimiter: str = ",", decimal: str = ".", thousands: str | None = None) -> dict[str, Any]:
    """The rows of a CSV file as different readers give them."""
    text = pd.read_csv(path, dtype=str, keep_default_na=False, sep=delimiter)
    frame = pd.read_csv(path, sep=delimiter, decimal=decimal, thousands=thousands)
    parse = pc_csv.ParseOptions(delimiter=delimiter)
    return {
        "texts": {name: text[name].tolist() for name in text},
        "pandas": frame,
        "pandas, nullable": frame.convert_dtypes(),
        "pandas, arrow": frame.convert_dtypes(dtype_backend="pyarrow"),
        "arrays": {name: frame[name].to_numpy() for name in frame},
        "records": frame.to_dict("records"),
        "arrow": pc_csv.read_csv(path, parse_options=parse),
    }


def assert_served_alike(data: EncodedData, path: Path, **options: Any) -> None:
    """Every reader's rows of the file give the arrays of the training."""
    preprocess = module(data)
    for name, rows in readers(path, **options).items():
        found = preprocess(rows)
        if data.categorical.size:
            np.testing.assert_array_equal(found["categorical"], data.categorical, err_msg=name)
        if data.numeric.size:
            np.testing.assert_allclose(found["numeric"], data.numeric, rtol=1e-6, atol=1e-6, err_msg=name)
