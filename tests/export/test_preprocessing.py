"""The exported preprocessing is the data part's encoding, value by value, without the data part."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtnas.data import DataSchema, encode_rows
from mtnas.data.columns.column import texts_of_values
from mtnas.data.columns.value_text import moment_text, number_text
from mtnas.data.data_spec import Feature
from mtnas.data.encoding.fitting import fit_schema
from mtnas.data.encoding_spec import PeriodicNumbers, PiecewiseNumbers, PlainNumbers, RangedNumbers
from mtnas.errors import DataError
from mtnas.export.expected_outputs import rows_as_json
from mtnas.export.preprocessing_tables import preprocessing_json, vocabularies_json
from mtnas.export.standalone.preprocessing import Preprocessing
from tests.export.cases import mixed_schema, mixed_table


def preprocessing_of(schema: DataSchema) -> Preprocessing:
    """What an export's folder would load, through JSON."""
    arguments = [f"bag_{index}" for index in range(len(schema.bags))]
    documents = (preprocessing_json(schema, bag_arguments=arguments), vocabularies_json(schema))
    return Preprocessing(*(json.loads(json.dumps(document)) for document in documents))


def assert_same_arrays(found: dict[str, NDArray[Any]], schema: DataSchema, table: pa.Table) -> None:
    expected = encode_rows(schema, table)
    if schema.categorical:
        np.testing.assert_array_equal(found["categorical"], expected.categorical)
        assert found["categorical"].dtype == np.int64
    if schema.inputs.num_numeric:
        np.testing.assert_array_equal(found["numeric"], expected.numeric)
        assert found["numeric"].dtype == np.float32
    for index, (offsets, values) in enumerate(expected.bags):
        padded = found[f"bag_{index}"]
        np.testing.assert_array_equal((padded >= 0).sum(1), np.diff(offsets))
        np.testing.assert_array_equal(padded[padded >= 0], values)


def test_rows_with_missing_and_unknown_values_encode_as_in_training() -> None:
    table = mixed_table(64)
    schema = mixed_schema(table.slice(0, 6))
    assert_same_arrays(preprocessing_of(schema)(table.to_pydict()), schema, table)
    assert_same_arrays(preprocessing_of(schema)(json.loads(json.dumps(rows_as_json(schema, table)))), schema, table)


@given(
    values=st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=2, max_size=40),
    kind=st.sampled_from([PlainNumbers, RangedNumbers, PiecewiseNumbers, PeriodicNumbers]),
    prepare=st.sampled_from(["standard", "robust", "quantile"]),
)
@settings(deadline=None)
def test_any_numbers_are_prepared_and_placed_as_in_training(
    values: list[float | None], kind: type[Any], prepare: str
) -> None:
    table = pa.table({"x": pa.array([1.0, *values], pa.float64())})
    features = (Feature(column="x", kind="numeric"),)
    schema = fit_schema(table, features, np.arange(len(values) // 2 + 1), numeric=kind(prepare=prepare))
    assert_same_arrays(preprocessing_of(schema)(table.to_pydict()), schema, table)


TEXTS = st.sampled_from(["a", "b", " a", "A", "3", "3.0", "true", "1e+10", "NA", "nan", "", "ü", None])
FLOATS = st.one_of(st.none(), st.floats(allow_infinity=False), st.integers(-20, 20).map(float))
NUMBER_TEXTS = st.sampled_from(["1", " 2.5 ", "-1e-3", "NA", "", "nan", "NAN", None])
BAGS = st.one_of(st.none(), st.lists(st.one_of(TEXTS, st.just(" b ")), max_size=4))
NUMBER_BAGS = st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=4))
COLUMNS: dict[str, tuple[str, pa.DataType, st.SearchStrategy[Any]]] = {
    "text": ("categorical", pa.string(), TEXTS),
    "whole": ("categorical", pa.int64(), st.one_of(st.none(), st.integers(-5, 5), st.just(2**40))),
    "float": ("categorical", pa.float64(), st.one_of(FLOATS, st.just(float("inf")))),
    "single": ("categorical", pa.float32(), st.one_of(st.none(), st.floats(width=32))),
    "flag": ("categorical", pa.bool_(), st.one_of(st.none(), st.booleans())),
    "day": ("categorical", pa.date32(), st.one_of(st.none(), st.dates())),
    "number": ("numeric", pa.float64(), FLOATS),
    "count": ("numeric", pa.int64(), st.one_of(st.none(), st.integers(-(2**62), 2**62))),
    "bit": ("numeric", pa.bool_(), st.one_of(st.none(), st.booleans())),
    "written": ("numeric", pa.string(), NUMBER_TEXTS),
    "moment": (
        "numeric",
        pa.timestamp("s"),
        st.one_of(st.none(), st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))),
    ),
    "vector": (
        "dense_vector",
        pa.list_(pa.float64()),
        st.one_of(st.none(), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2)),
    ),
    "tags": ("multi_valued", pa.list_(pa.string()), BAGS),
    "ids": ("multi_valued", pa.list_(pa.int64()), NUMBER_BAGS),
    "words": ("multi_valued", pa.string(), st.sampled_from(["a b", "a", " b  c ", "", None])),
}


def table_of(name: str, values: Sequence[Any]) -> pa.Table:
    _, kind, _ = COLUMNS[name]
    if kind == pa.timestamp("s"):
        values = [value and value.replace(microsecond=0) for value in values]
    return pa.table({name: pa.array(values, kind)})


@pytest.mark.parametrize("name", COLUMNS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_kind_of_value_encodes_as_in_training(name: str, data: st.DataObject) -> None:
    kind, _, values = COLUMNS[name]
    fitted = table_of(name, data.draw(st.lists(values, min_size=1, max_size=6)))
    try:
        schema = fit_schema(fitted, [Feature(column=name, kind=kind)], np.arange(len(fitted)))  # type: ignore[arg-type]
    except DataError:
        return  # nothing but missing values, or numbers too large to be standardised
    table = table_of(name, data.draw(st.lists(values, min_size=1, max_size=6)))
    with np.errstate(over="ignore"):
        try:
            encode_rows(schema, table)
        except DataError:
            with pytest.raises(ValueError, match=name):
                preprocessing_of(schema)(rows_as_json(schema, table))
            return
        assert_same_arrays(preprocessing_of(schema)(json.loads(json.dumps(rows_as_json(schema, table)))), schema, table)
        assert_same_arrays(preprocessing_of(schema)(table.to_pydict()), schema, table)


@given(st.floats(allow_nan=False))
@example(1e10)
@example(2.0**53)
@example(1e-7)
@example(-0.0)
@example(5e-324)
def test_a_float_has_the_text_that_training_gave_it(value: float) -> None:
    assert texts_of_values(pa.array([value + 0.0])) == [number_text(value)]


@given(st.datetimes(), st.times())
def test_a_moment_has_the_text_that_training_gave_it(moment: datetime, clock: time) -> None:
    assert texts_of_values(pa.array([moment], pa.timestamp("us"))) == [moment_text(moment)]
    assert texts_of_values(pa.array([moment.date()])) == [moment_text(moment.date())]
    assert texts_of_values(pa.array([clock], pa.time64("us"))) == [moment_text(clock)]


def test_arrays_and_scalars_of_numpy_are_read_like_lists() -> None:
    schema = mixed_schema()
    table = mixed_table()
    rows: dict[str, Any] = table.to_pydict()
    rows["distance"] = np.array(rows["distance"], dtype=np.int16)
    rows["delay"] = np.array([math.nan if value is None else value for value in rows["delay"]])
    rows["month"] = [None if value is None else np.float64(value) for value in rows["month"]]
    rows["carrier"] = np.array(rows["carrier"], dtype=object)
    rows["place"] = [None if value is None else np.array(value, dtype=np.float32) for value in rows["place"]]
    assert_same_arrays(preprocessing_of(schema)(rows), schema, table)


def test_times_are_seconds_since_1970() -> None:
    moments = [datetime(1970, 1, 1, 0, 1), None, datetime(1969, 12, 31, 23, 59)]
    table = pa.table({"at": pa.array(moments, pa.timestamp("us"))})
    schema = fit_schema(table, [Feature(column="at", kind="numeric")], np.arange(3))
    expected = encode_rows(schema, table).numeric
    zoned = [moment and moment.replace(tzinfo=UTC) for moment in moments]
    for values in (moments, zoned, np.array(moments, dtype="datetime64[s]"), [60, None, -60]):
        np.testing.assert_array_equal(preprocessing_of(schema)({"at": values})["numeric"], expected)
    np.testing.assert_array_equal(
        preprocessing_of(schema)({"at": [date(1970, 1, 2)]})["numeric"][:, 0], np.float32([86400 / 60])
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distance": None}, "column 'distance': expected a list"),
        ({"distance": "12"}, "column 'distance': expected a list"),
        ({"distance": [1, 2]}, "column 'distance': expected 1 values, found 2"),
        ({"distance": ["far"]}, "column 'distance', row 1: expected a finite number, found 'far'"),
        ({"distance": ["1_000"]}, "row 1: expected a finite number"),
        ({"distance": [math.inf]}, "row 1: expected a finite number, found inf"),
        ({"place": [[1.0]]}, "column 'place', row 1: expected a vector of 2 numbers, found 1"),
        ({"place": [[1.0, None]]}, "column 'place', row 1: expected a vector without missing entries"),
        ({"carrier": [b"UA"]}, "column 'carrier': expected a text or a number"),
        ({"carrier": [["UA"]]}, "column 'carrier': expected a text or a number"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(change: dict[str, Any], message: str) -> None:
    rows = {name: values[:1] for name, values in mixed_table().to_pydict().items()} | change
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        preprocessing_of(mixed_schema())(rows)


def test_a_missing_column_is_named() -> None:
    rows = mixed_table().to_pydict()
    del rows["month"]
    with pytest.raises(ValueError, match="expected a column 'month'"):
        preprocessing_of(mixed_schema())(rows)
