"""What networks are trained on: labels standardised on ``train``, in units that a trained network keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mtnas.data import DataSchema, load
from mtnas.data.labels import read_labels
from mtnas.errors import DataError
from mtnas.tasks import Task, TaskKind
from mtnas.units import Transform
from tests.data.people import TASKS, access_to, people, spec_for, write_csv


def test_regressions_are_standardised_on_train_and_others_stay(tmp_path: Path) -> None:
    name = write_csv(people(), tmp_path)
    data = load(spec_for(name), TASKS, access=access_to(tmp_path))
    rows, raw = data.parts["train"], read_labels(people(), TASKS)[0]
    rich, wage, job = data.schema.labels
    known = raw[rows, 1][~np.isnan(raw[rows, 1])]
    assert (wage.unit.mean, wage.unit.scale) == pytest.approx((known.mean(), known.std()))
    np.testing.assert_allclose(data.labels[:, 1], (raw[:, 1] - known.mean()) / known.std(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(data.labels[:, [0, 2]], raw[:, [0, 2]].astype(np.float32))
    assert rich.rates == (np.nanmean(raw[rows, 0]),)
    assert job.rates == pytest.approx(np.bincount(raw[rows, 2].astype(int), minlength=3) / len(rows))
    assert DataSchema.from_json(data.schema.to_json()) == data.schema
    assert wage.completing(TASKS[1]).unit == wage.unit


def test_one_column_may_be_learnt_in_two_ways(tmp_path: Path) -> None:
    name = write_csv(people(), tmp_path)
    tasks = (TASKS[1], replace(TASKS[1], name="log_wage", transform=Transform.LOG1P), TASKS[0])
    data = load(spec_for(name), tasks, access=access_to(tmp_path))
    assert [data.schema.label_of(task) for task in tasks] == [0, 1, 2]
    assert not np.allclose(data.labels[:, 0], data.labels[:, 1], equal_nan=True)
    plain = load(spec_for(name), (TASKS[1], tasks[0], TASKS[0]), access=access_to(tmp_path))
    assert plain.digest != data.digest
    with pytest.raises(DataError, match="a label among"):
        data.schema.label_of(replace(TASKS[2], name="other"))


def test_a_network_that_goes_on_working_keeps_its_units(tmp_path: Path) -> None:
    name = write_csv(people(), tmp_path)
    before = load(spec_for(name), TASKS[:2], access=access_to(tmp_path))
    richer = people(seed=1)
    wage = richer.column_names.index("wage")
    other = richer.set_column(wage, "wage", [[None if v is None else v * 100 for v in richer["wage"].to_pylist()]])
    after = load(
        spec_for(write_csv(other, tmp_path, "other.csv")), TASKS, access=access_to(tmp_path), encoding=before.schema
    )
    assert after.schema.labels[1].unit == before.schema.labels[1].unit
    assert after.schema.labels[0].rates == before.schema.labels[0].rates
    assert np.nanmean(after.labels[:, 1]) > 100  # dear in the old unit


def test_a_schema_of_an_earlier_version_has_labels_in_their_own_unit(tmp_path: Path) -> None:
    document = load(spec_for(write_csv(people(), tmp_path)), TASKS, access=access_to(tmp_path)).schema.to_json()
    for label in document["labels"]:
        del label["unit"], label["rates"]
    assert all(label.unit.is_own and label.rates == () for label in DataSchema.from_json(document).labels)


def test_an_amount_of_minus_one_has_no_logarithm() -> None:
    task = Task(name="y", kind=TaskKind.REGRESSION, label="y", transform=Transform.LOG1P)
    with pytest.raises(DataError, match=r"row 2: expected amounts above -1 for transform 'log1p', found -1"):
        read_labels(pa.table({"y": [3.0, -1.0]}), [task])
