"""Columns that tell a label are found, and honest ones are not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mtnas.data.data_spec import Feature
from mtnas.data.encoding.encode import encode_rows
from mtnas.data.encoding.fitting import fit_schema
from mtnas.data.labels import read_labels
from mtnas.data.profiles.giveaways import Giveaway, find_giveaways
from mtnas.tasks import Task, TaskKind

N = 4000


def find(columns: dict[str, object], labels: object, kind: TaskKind = TaskKind.BINARY) -> tuple[Giveaway, ...]:
    task = Task(name="y", kind=kind, label="y_label", num_classes=3 if kind is TaskKind.MULTICLASS else 1)
    table = pa.table({**columns, "y_label": labels})
    features = tuple(
        Feature(column=name, kind="categorical" if pa.types.is_string(table.schema.field(name).type) else "numeric")
        for name in columns
    )
    rows = np.arange(N)
    schema = fit_schema(table, features, rows)
    read, _ = read_labels(table, [task])
    return find_giveaways(schema, encode_rows(schema, table), read, [task], rows)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_column_from_after_the_event_is_found(rng: np.random.Generator) -> None:
    delay = rng.normal(0, 30, N)
    (found,) = find({"delay": delay + rng.normal(0, 0.1, N), "wind": delay + rng.normal(0, 30, N)}, delay > 15)
    assert found.column == "delay"
    assert "AUC" in found.evidence
    assert found.to_problem().severity == "warning"


def test_a_rare_label_is_judged_by_auc_not_by_accuracy(rng: np.random.Generator) -> None:
    assert find({"x": rng.normal(size=N), "c": rng.choice(["a", "b"], N)}, rng.random(N) < 0.005) == ()


def test_a_column_with_a_value_in_every_row_tells_nothing(rng: np.random.Generator) -> None:
    assert find({"name": [f"n{row}" for row in range(N)]}, rng.random(N) < 0.5) == ()


def test_missing_values_that_tell_are_found(rng: np.random.Generator) -> None:
    """As in the flights: the plane is unknown in a third of the cancelled flights and in no other."""
    cancelled = rng.random(N) < 0.1
    unknown = cancelled & (rng.random(N) < 0.3)
    (text,) = find({"plane": pa.array(rng.choice(["p", "q"], N), mask=unknown)}, cancelled)
    (number,) = find({"seats": pa.array(rng.normal(size=N), mask=unknown)}, cancelled)
    assert "where it is missing, 'y_label' is 1" in text.evidence
    assert text.evidence == number.evidence


def test_values_missing_at_random_tell_nothing(rng: np.random.Generator) -> None:
    assert find({"plane": pa.array(rng.choice(["p", "q"], N), mask=rng.random(N) < 0.3)}, rng.random(N) < 0.1) == ()


def test_a_name_like_the_labels_is_reported(rng: np.random.Generator) -> None:
    (found,) = find({"YLabel": rng.normal(size=N)}, rng.random(N) < 0.5)
    assert "name" in found.evidence


def test_classes_and_amounts_are_told_too(rng: np.random.Generator) -> None:
    classes, amounts = rng.integers(0, 3, N), rng.normal(size=N)
    noise = rng.normal(size=N)
    assert [found.column for found in find({"c": classes * 7.0, "n": noise}, classes, TaskKind.MULTICLASS)] == ["c"]
    assert [found.column for found in find({"a": amounts * 2, "n": noise}, amounts, TaskKind.REGRESSION)] == ["a"]


def test_unlabelled_rows_are_not_looked_at(rng: np.random.Generator) -> None:
    labels = pa.array(rng.integers(0, 2, N), mask=np.arange(N) >= 10)
    assert find({"x": rng.normal(size=N)}, labels) == ()
