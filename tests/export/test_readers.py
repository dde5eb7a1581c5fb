"""Serving parity: rows that csv, pandas and pyarrow read back from the file of the training give its predictions."""

from __future__ import annotations

import csv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.csv as pc_csv
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import search_spaces
from mtnas.data import DataAccess, encode_rows, load
from mtnas.data.data_spec import DataSpec, Feature, FileSource
from mtnas.data.sources.file_tables import Wanted
from mtnas.data.sources.sources import open_source
from mtnas.errors import DataError
from mtnas.export.expected_outputs import UnlabelledRows
from mtnas.supernets import Selection
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from tests.export.cases import Trained, import_export, trained

NUM_ROWS = 60
LABELS = np.random.default_rng(1).integers(0, 2, NUM_ROWS)
TASKS = (Task(name="late", kind=TaskKind.BINARY, label="y", tower=(4,)),)
POOLS = (
    ("007", "7", "012", "100"),
    ("9857189803270129030", "11917462632579496993", "13"),
    ("1", "2", "30", "", "NA"),
    ("1.50", "2.25", "1e3", "-0.0", " 5", "+5", "12345678901.0", ""),
    ("True", "False"),
    ("TRUE", "FALSE", ""),
    ("true", "1", "0"),
    ("red", "blue", "NA", "None", "naïve", " a", "007", "1,234"),
    ("00100", "A1", "200", ""),
    ("2022-01-31", "2022-02-01", ""),
    ("2022-01-31 10:00:00", "2022-01-31 00:00:00", "2022-02-01"),
    ("2022-01-31T10:00:00Z", "2022-01-31T12:00:00+02:00"),
    ("12:30:00", "07:05:00"),
    ("31/01/2022", "01/02/2022"),
)
NUMBERS = st.one_of(
    st.floats(-1e9, 1e9).map(repr),
    st.integers(-(10**12), 10**12).map(str),
    st.sampled_from(["", "NA", "+3", " 4 ", "1e-7", "007"]),
)


@st.composite
def written(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """The texts of a file's columns, and how the file is written."""
    columns = {}
    for number, pool in enumerate(draw(st.lists(st.sampled_from(POOLS), min_size=1, max_size=4))):
        columns[f"c{number}"] = draw(st.lists(st.sampled_from(pool), min_size=NUM_ROWS, max_size=NUM_ROWS))
    for number in range(draw(st.integers(0, 2))):
        columns[f"n{number}"] = draw(st.lists(NUMBERS, min_size=NUM_ROWS, max_size=NUM_ROWS))
    columns["y"] = [str(label) for label in LABELS]
    options = {
        "delimiter": draw(st.sampled_from([",", ";", "\t"])),
        "encoding": draw(st.sampled_from(["utf-8", "latin-1", "utf-16"])),
    }
    return columns, options


@settings(max_examples=25, deadline=None)
@given(written())
def test_rows_read_back_from_the_file_give_the_predictions_of_the_training(
    case: tuple[dict[str, list[str]], dict[str, Any]],
) -> None:
    columns, options = case
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with (folder / "d.csv").open("w", encoding=options["encoding"], newline="") as file:
            writer = csv.writer(file, delimiter=options["delimiter"])
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        kinds = {"c": "categorical", "n": "numeric"}
        features = [Feature(column=name, kind=kinds[name[0]]) for name in columns if name != "y"]  # type: ignore[arg-type]
        source = FileSource(paths=("d.csv",), date_format="%d/%m/%Y", **options)
        request = DataSpec(source=source, features=tuple(features))
        try:
            data = load(request, TASKS, access=DataAccess(roots=(folder,), cache=folder / "cache"))
        except DataError:  # a column with nothing in the training rows
            assume(False)
        space = search_spaces.build("mtnas", TASKS, {"layers": 1, "subnets": 2, "width": 4})
        table = open_source(source, access=DataAccess(roots=(folder,), cache=folder / "cache")).read(Wanted()).table
        route = space.sample(np.random.default_rng(0))
        network = trained(space.graph, route, tasks=TASKS, schema=data.schema, table=table)
        train_a_step(network)
        expected = torch.sigmoid(network.outputs()["late"]).squeeze(-1).numpy()
        network.export(folder / "export")
        model, preprocessing = import_export(folder / "export").load()
        for name, rows in readers(folder / "d.csv", **options).items():
            found = model.predict(preprocessing(rows))["late"].detach().numpy()
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=name)


def train_a_step(network: Trained) -> None:
    """One step of gradient descent on the labels."""
    rows = UnlabelledRows.of(encode_rows(network.schema, network.table))
    batch = ResidentData.of(rows, torch.device("cpu")).gather(torch.arange(NUM_ROWS)[None])
    (output,) = network.supernet(batch, Selection.from_routes(network.graph, [[network.route]]))
    labels = torch.tensor(LABELS, dtype=torch.float32)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(output.reshape(-1), labels)
    loss.backward()
    torch.optim.SGD(network.supernet.parameters(), lr=0.1).step()


def readers(path: Path, *, delimiter: str, encoding: str) -> dict[str, Any]:
    """The rows of the file as three readers give them, with what they find out about its types."""
    with path.open(encoding=encoding, newline="") as file:
        records = list(csv.DictReader(file, delimiter=delimiter))
    frame = pd.read_csv(path, sep=delimiter, encoding=encoding)
    return {
        "csv": {name: [record[name] for record in records] for name in records[0]},
        "csv, rows": records,
        "pandas": frame,
        "pandas, nullable": frame.convert_dtypes(),
        "pyarrow": pc_csv.read_csv(
            path,
            read_options=pc_csv.ReadOptions(encoding=encoding),
            parse_options=pc_csv.ParseOptions(delimiter=delimiter),
        ),
    }
