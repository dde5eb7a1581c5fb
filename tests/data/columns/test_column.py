"""A value has one text and one number, however it is stored."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtnas.data.columns.column import codes_of, column_of, finite_numbers_of, numbers_of, parse_number
from mtnas.errors import DataError

WHOLE = st.lists(st.one_of(st.none(), st.integers(-(2**53), 2**53)), min_size=1)


def chunked(values: list[object], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    middle = len(values) // 2
    return pa.chunked_array([pa.array(values[:middle], kind), pa.array(values[middle:], kind)])


def texts_of(column: pa.ChunkedArray) -> list[str | None]:
    codes = codes_of(column, name="x")
    return [None if index < 0 else codes.texts[index] for index in codes.indices]


@given(WHOLE)
@settings(deadline=None)
def test_integers_floats_texts_and_dictionaries_of_one_value_have_one_text(values: list[int | None]) -> None:
    small = [None if value is None else value % 1000 for value in values]
    integers = chunked(small, pa.int64())
    texts = texts_of(integers)
    assert texts == [None if value is None else str(value) for value in small]
    for kind in (pa.float64(), pa.float32(), pa.int16(), pa.string(), pa.large_string()):
        assert texts_of(integers.cast(kind)) == texts
    assert texts_of(integers.cast(pa.string()).dictionary_encode()) == texts


@given(WHOLE)
@settings(deadline=None)
def test_numbers_are_the_same_from_integers_and_from_texts(values: list[int | None]) -> None:
    integers = chunked(values, pa.int64())
    expected = np.array([np.nan if value is None else float(value) for value in values])
    np.testing.assert_array_equal(numbers_of(integers, name="x"), expected)
    np.testing.assert_array_equal(numbers_of(integers.cast(pa.string()), name="x"), expected)


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1))
@settings(deadline=None)
def test_every_text_but_the_empty_one_is_a_value_and_the_codes_are_dense(values: list[str | None]) -> None:
    column = chunked(values, pa.string())
    assert texts_of(column) == [value or None for value in values]
    codes = codes_of(column, name="x")
    assert len(set(codes.texts)) == len(codes.texts) == codes.indices.max(initial=-1) + 1


def test_nan_is_missing_and_minus_zero_is_zero() -> None:
    assert texts_of(chunked([0.0, -0.0, float("nan"), None, 0.5])) == ["0", "0", None, None, "0.5"]


def test_an_entry_twice_in_a_dictionary_is_one_value() -> None:
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None], pa.int32()), pa.array(["a", "a", ""]))
    assert texts_of(pa.chunked_array([twice])) == ["a", "a", None, None]


def test_a_text_among_numbers_names_its_row_counted_from_one() -> None:
    with pytest.raises(DataError, match=r"column 'x', row 3: expected a number, found 'abc'"):
        numbers_of(chunked(["1", "", "abc", "n"]), name="x")


def test_an_infinity_names_its_row_in_numbers_and_in_texts() -> None:
    for values in ([1.0, None, -np.inf], ["1", "NA", "-inf"]):
        with pytest.raises(DataError, match=r"column 'x', row 3: expected finite numbers, found -inf"):
            finite_numbers_of(chunked(values), name="x")


@pytest.mark.parametrize(("text", "number"), [(" 5 ", 5.0), ("1e3", 1000.0), ("-.5", -0.5)])
def test_numbers_are_spelt_as_usual(text: str, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize("text", ["1_000", "0x10", "five", "1,5"])
def test_other_spellings_are_no_numbers(text: str) -> None:
    assert parse_number(text) is None


def test_times_are_seconds_since_1970() -> None:
    day = datetime.date(1970, 1, 2)
    moment = datetime.datetime(1970, 1, 1, 0, 0, 1, 500_000)
    assert numbers_of(chunked([day, None], pa.date32()), name="x").tolist()[0] == 86_400.0
    assert numbers_of(chunked([moment, moment]), name="x").tolist() == [1.5, 1.5]


def test_lists_are_neither_codes_nor_numbers() -> None:
    lists = chunked([[1], [2]])
    for read in (codes_of, numbers_of):
        with pytest.raises(DataError, match="column 'x'"):
            read(lists, name="x")


def test_bytes_are_neither_codes_nor_numbers() -> None:
    for read in (codes_of, numbers_of):
        with pytest.raises(DataError, match="binary"):
            read(column_of(pa.table({"x": pa.array([b"\xff"])}), "x"), name="x")
