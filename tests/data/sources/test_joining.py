"""A join adds columns on equal keys and leaves the main table's rows as they are."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtnas.data.sources.joining import join_table
from mtnas.errors import DataError

KEYS = st.tuples(st.one_of(st.none(), st.integers(0, 5)), st.sampled_from(["x", "y", None]))


@given(st.lists(KEYS, min_size=1), st.lists(KEYS, min_size=1))
@settings(deadline=None)
def test_a_join_on_two_keys_is_a_look_up(left: list[tuple], right: list[tuple]) -> None:
    unique = [key for index, key in enumerate(right) if None in key or key not in right[:index]]
    table = pa.table(
        {"a": pa.array([a for a, _ in left], pa.int64()), "b": pa.array([b for _, b in left], pa.string())}
    )
    other = pa.table(
        {
            "value": list(range(len(unique))),
            "b": pa.array([b for _, b in unique], pa.string()),
            "a": pa.array([None if a is None else float(a) for a, _ in unique], pa.float64()),  # floats join integers
        }
    )
    values = {key: value for value, key in enumerate(unique) if None not in key}
    if not any(key in values for key in left):
        with pytest.raises(DataError, match="expected some rows with equal keys"):
            join_table(table, other, on=("a", "b"), where="here")
        return
    joined = join_table(table, other, on=("a", "b"), where="here")
    assert joined.column("value").to_pylist() == [values.get(key) for key in left]
    assert joined.select(["a", "b"]).equals(table)


def test_keys_that_are_not_unique_name_both_rows() -> None:
    other = pa.table({"k": [7, 8, 7], "v": [1, 2, 3]})
    with pytest.raises(DataError, match=r"data.source.join\[0\].path.*rows 1 and 3"):
        join_table(pa.table({"k": [7]}), other, on=("k",), where="data.source.join[0].path")


def test_a_column_that_exists_needs_a_prefix() -> None:
    table, other = pa.table({"k": [1], "v": [5]}), pa.table({"k": [1], "v": [6]})
    with pytest.raises(DataError, match="'v'"):
        join_table(table, other, on=("k",), where="here")
    assert join_table(table, other, on=("k",), prefix="other_", where="here").column("other_v").to_pylist() == [6]


def test_a_key_that_a_table_lacks_is_refused() -> None:
    for left, right in (("k", "z"), ("z", "k")):
        with pytest.raises(DataError, match="'k'"):
            join_table(pa.table({left: [1]}), pa.table({right: [1]}), on=("k",), where="here")


def test_tables_whose_keys_never_meet_are_refused_with_some_of_both() -> None:
    with pytest.raises(DataError, match=r"none: '00', '01' beside '0', '1', 'A3'"):
        join_table(pa.table({"k": ["00", "01"]}), pa.table({"k": ["0", "1", "A3"]}), on=("k",), where="here")
