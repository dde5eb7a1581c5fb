"""Encoding is learnt from the training rows alone, and a schema that went through JSON encodes the same."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtnas.data import DataSchema, encode_rows
from mtnas.data.data_spec import Feature
from mtnas.data.encoding.encode import EncodedRows
from mtnas.data.encoding.fitting import fit_schema
from mtnas.data.encoding_spec import RangedNumbers
from mtnas.errors import DataError
from tests.data.people import FEATURES, people, replaced

COLUMNS = [feature.column for feature in FEATURES]


def assert_same(left: EncodedRows, right: EncodedRows) -> None:
    np.testing.assert_array_equal(left.categorical, right.categorical)
    np.testing.assert_array_equal(left.numeric, right.numeric)
    for (offsets, values), (other_offsets, other_values) in zip(left.bags, right.bags, strict=True):
        np.testing.assert_array_equal(offsets, other_offsets)
        np.testing.assert_array_equal(values, other_values)


@given(seed=st.integers(0, 1000), train=st.integers(20, 199))
@settings(max_examples=25, deadline=None)
def test_rows_outside_training_teach_nothing(seed: int, train: int) -> None:
    table = people(200, seed=seed)
    rows = np.arange(train)
    other = pa.concat_tables([table.slice(0, train), people(200, seed=seed + 1).slice(train)])
    other = replaced(other, "city", other.column("city").to_pylist()[:train] + ["Atlantis"] * (200 - train))
    assert fit_schema(table, FEATURES, rows) == fit_schema(other, FEATURES, rows)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_order_of_rows_teaches_nothing_and_is_kept_by_the_encoding(seed: int) -> None:
    table = people(200, seed=seed)
    order = np.random.default_rng(seed).permutation(200)
    schema = fit_schema(table, FEATURES, np.arange(200))
    assert fit_schema(table.take(order), FEATURES, np.arange(200)) == schema
    assert_same(encode_rows(schema, table.take(order)), take(encode_rows(schema, table), order))


def take(rows: EncodedRows, order: np.ndarray) -> EncodedRows:
    bags = []
    for offsets, values in rows.bags:
        pieces = [values[offsets[row] : offsets[row + 1]] for row in order]
        bags.append((np.cumsum([0, *map(len, pieces)]), np.concatenate(pieces)))
    return EncodedRows(
        categorical=rows.categorical[order], numeric=rows.numeric[order], bags=tuple(bags), images=rows.images[order]
    )


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_schema_survives_json_and_encodes_the_same(seed: int) -> None:
    table = people(100, seed=seed)
    schema = fit_schema(table, FEATURES, np.arange(80))
    again = DataSchema.from_json(json.loads(json.dumps(schema.to_json(), allow_nan=False)))
    assert again == schema
    assert_same(encode_rows(again, table.select(COLUMNS)), encode_rows(schema, table))


def test_shapes_are_those_of_the_schemas_inputs() -> None:
    table = people(100)
    schema = fit_schema(table, FEATURES, np.arange(100))
    rows, shape = encode_rows(schema, table), schema.inputs
    assert rows.categorical.shape == (100, len(shape.vocabularies))
    assert rows.categorical.dtype == np.int32
    assert rows.numeric.shape == (100, shape.num_numeric)
    assert rows.numeric.dtype == np.float32
    assert np.isfinite(rows.numeric).all()
    assert (rows.categorical >= 0).all()
    assert (rows.categorical < np.array(shape.vocabularies)).all()
    (offsets, values) = rows.bags[0]
    assert offsets.dtype == np.int64
    assert values.dtype == np.int32
    assert offsets[-1] == len(values)
    # two numbers, one of them ever missing, one vector of two, the places of the two numbers
    assert shape.num_numeric == 2 + 1 + 2 + 2


def test_no_rows_encode_to_no_rows() -> None:
    schema = fit_schema(people(100), FEATURES, np.arange(100))
    rows = encode_rows(schema, people(100).slice(0, 0))
    assert rows.categorical.shape[0] == rows.numeric.shape[0] == 0
    assert rows.bags[0][0].tolist() == [0]


def test_the_commonest_value_comes_first_and_ties_go_by_text() -> None:
    table = pa.table({"c": ["b", "z", "a", "z", None, "b", "a"]})
    schema = fit_schema(table, (Feature(column="c", kind="categorical"),), np.arange(7))
    assert schema.categorical[0].values == ("a", "b", "z")
    assert encode_rows(schema, table).categorical[:, 0].tolist() == [2, 3, 1, 3, 0, 2, 1]
    assert encode_rows(schema, pa.table({"c": ["new", "", None, "z"]})).categorical[:, 0].tolist() == [0, 0, 0, 3]


def test_the_vocabulary_keeps_the_most_frequent_values_up_to_its_cap() -> None:
    table = pa.table({"c": ["a"] * 5 + ["b"] * 4 + ["c"] * 3})
    feature = Feature(column="c", kind="categorical", max_vocabulary=2)
    assert fit_schema(table, (feature,), np.arange(12)).categorical[0].values == ("a", "b")


def test_a_cap_that_leaves_most_rows_without_a_value_is_refused() -> None:
    table = pa.table({"c": [str(number) for number in range(100)]})
    feature = Feature(column="c", kind="categorical", max_vocabulary=10)
    with pytest.raises(DataError, match=r"column 'c'.*100 values.*cover 10.0%"):
        fit_schema(table, (feature,), np.arange(100))


def test_numbers_are_standardised_over_training_and_missing_ones_are_zero_with_an_indicator() -> None:
    table = pa.table({"x": [1.0, 3.0, None, 100.0]})
    schema = fit_schema(table, (Feature(column="x", kind="numeric", bins=0),), np.arange(3))
    assert (schema.numeric[0].mean, schema.numeric[0].scale) == (2.0, 1.0)
    assert encode_rows(schema, table).numeric.tolist() == [[-1, 0], [1, 0], [0, 1], [98, 0]]


def test_a_column_complete_in_training_has_no_indicator() -> None:
    table = pa.table({"x": [1.0, 3.0, None]})
    schema = fit_schema(table, (Feature(column="x", kind="numeric", bins=0),), np.arange(2))
    assert encode_rows(schema, table).numeric.tolist() == [[-1], [1], [0]]


@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=30), st.integers(0, 12))
@settings(deadline=None)
def test_any_finite_numbers_encode_to_finite_numbers_and_to_ascending_ranges(values: list[float], bins: int) -> None:
    table = pa.table({"x": values})
    features = (Feature(column="x", kind="numeric", bins=bins),)
    schema = fit_schema(table, features, np.arange(len(values)), numeric=RangedNumbers())
    rows = encode_rows(schema, table)
    assert np.isfinite(rows.numeric).all()
    json.dumps(schema.to_json(), allow_nan=False)
    for column in rows.categorical.T:
        assert (np.diff(column[np.argsort(values)]) >= 0).all()
        assert column.min() >= 1
        assert column.max() < schema.inputs.vocabularies[0]


def test_few_values_have_a_range_each_and_a_missing_one_has_range_zero() -> None:
    table = pa.table({"x": [0.0, 5.0, 7.0, None, 5.0]})
    features = (Feature(column="x", kind="numeric", bins=8),)
    schema = fit_schema(table, features, np.arange(5), numeric=RangedNumbers())
    assert encode_rows(schema, table).categorical[:, 0].tolist() == [1, 2, 3, 0, 2]


def test_where_most_rows_hold_zero_the_others_still_spread_over_the_ranges() -> None:
    values = [0.0] * 900 + [float(number) for number in range(1, 101)]
    table = pa.table({"x": values})
    features = (Feature(column="x", kind="numeric", bins=12),)
    schema = fit_schema(table, features, np.arange(1000), numeric=RangedNumbers())
    counts = np.bincount(encode_rows(schema, table).categorical[:, 0])
    assert counts[1] == 900
    assert len(counts) <= 13
    assert counts[2:].max() < 25


def test_a_huge_constant_is_zero_like_any_other() -> None:
    table = pa.table({"x": [1.7047509393637333e86] * 3})
    schema = fit_schema(table, (Feature(column="x", kind="numeric"),), np.arange(3))
    assert encode_rows(schema, table).numeric.tolist() == [[0], [0], [0]]


def test_a_constant_column_does_not_blow_up_rounding_errors() -> None:
    table = pa.table({"x": [0.1] * 1000 + [0.2]})
    schema = fit_schema(table, (Feature(column="x", kind="numeric"),), np.arange(1000))
    assert np.abs(encode_rows(schema, table).numeric).max() < 1


def test_vectors_are_standardised_entry_by_entry_and_missing_ones_are_zeros() -> None:
    feature = Feature(column="v", kind="dense_vector")
    lists = pa.table({"v": [[1.0, 10.0], [3.0, 30.0], None]})
    texts = pa.table({"v": ["1 10", "3 30", ""]})
    schema = fit_schema(lists, (feature,), np.arange(3))
    assert fit_schema(texts, (feature,), np.arange(3)) == schema
    for table in (lists, texts):
        assert encode_rows(schema, table).numeric.tolist() == [[-1, -1], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("values", "where"),
    [
        (["1 2", "1 2 3"], "column 'v', row 2"),
        (["1 2", "1 x"], "column 'v', row 2, entry 2"),
        (["", "1 inf"], "column 'v', row 2, entry 2"),
        ([[1.0, 2.0], [None, 1.0]], "column 'v', row 2, entry 1"),
    ],
)
def test_a_bad_vector_names_its_row_and_entry(values: list[object], where: str) -> None:
    with pytest.raises(DataError) as caught:
        fit_schema(pa.table({"v": values}), (Feature(column="v", kind="dense_vector"),), np.arange(2))
    assert caught.value.where == where


def test_bags_hold_their_tokens_in_order_and_unknown_ones_as_zero() -> None:
    feature = Feature(column="b", kind="multi_valued", separator="|")
    texts = pa.table({"b": ["x|y", "", None, " y ||x|x"]})
    lists = pa.table({"b": [["x", "y"], [], None, ["y", "x", "x"]]})
    schema = fit_schema(texts, (feature,), np.arange(4))
    assert schema.bags[0].values == ("x", "y")
    for table in (texts, lists):
        offsets, values = encode_rows(schema, table).bags[0]
        assert offsets.tolist() == [0, 2, 2, 2, 5]
        assert values.tolist() == [1, 2, 2, 1, 1]
    assert encode_rows(schema, pa.table({"b": ["x|new"]})).bags[0][1].tolist() == [1, 0]


def test_csv_and_parquet_types_encode_alike() -> None:
    features = (Feature(column="c", kind="categorical"), Feature(column="x", kind="numeric"))
    integers = pa.table({"c": [1, 2, None], "x": [1, 2, None]})
    schema = fit_schema(integers, features, np.arange(3))
    floats = pa.table({"c": [1.0, 2.0, float("nan")], "x": [1.0, 2.0, float("nan")]})
    texts = pa.table({"c": pa.array(["1", "2", ""]).dictionary_encode(), "x": ["1", " 2", "NA"]})
    for table in (floats, texts):
        assert_same(encode_rows(schema, table), encode_rows(schema, integers))


def test_a_missing_input_column_is_named() -> None:
    schema = fit_schema(people(50), FEATURES, np.arange(50))
    with pytest.raises(DataError, match="'age'"):
        encode_rows(schema, people(50).drop_columns(["age"]))


def test_a_schema_of_another_format_is_refused() -> None:
    with pytest.raises(DataError, match="format"):
        DataSchema.from_json({"format": 99})


@pytest.mark.parametrize("kind", ["numeric", "categorical", "dense_vector", "sequence", "multi_valued"])
def test_a_column_without_a_value_in_training_is_refused(kind: str) -> None:
    table = pa.table({"x": ["", "", "1"]})
    feature = Feature.model_validate({"column": "x", "kind": kind})
    with pytest.raises(DataError, match=r"column 'x'.*all missing"):
        fit_schema(table, (feature,), np.arange(2))


@pytest.mark.parametrize("texts", [False, True])
def test_steps_of_a_sequence_share_one_mean_and_deviation(texts: bool) -> None:
    """So that the same value means the same at every step; as lists or as texts, a missing row is all means."""
    steps = np.arange(12.0).reshape(4, 3)
    values = [" ".join(map(str, row)) for row in steps] if texts else list(steps)
    table = pa.table({"load": pa.array([*values[:3], None, values[3]])})
    schema = fit_schema(table, (Feature(column="load", kind="sequence"),), np.arange(4))
    seen = steps[:3]
    expected = (steps - seen.mean()) / seen.std()
    found = encode_rows(schema, table).numeric
    np.testing.assert_allclose(found[[0, 1, 2, 4]], expected, rtol=1e-6)
    assert not found[3].any()
    assert schema.inputs.num_numeric == 3
    assert DataSchema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_sequences_beside_each_other_are_channels_and_so_are_columns_of_single_steps() -> None:
    load, heat = np.random.default_rng(0).normal(size=(2, 5, 3))
    lists = pa.table({"load": list(load), "heat": list(heat)})
    wide = pa.table({f"{name}_t{t}": x[:, t] for name, x in (("load", load), ("heat", heat)) for t in range(3)})
    as_lists = [Feature(column=name, kind="sequence") for name in ("load", "heat")]
    as_columns = [Feature(column=name, kind="numeric", bins=0) for name in wide.column_names]
    one = encode_rows(fit_schema(lists, as_lists, np.arange(5)), lists).numeric
    other = encode_rows(fit_schema(wide, as_columns, np.arange(5)), wide).numeric
    assert one.shape == other.shape == (5, 6)
    # Columns are standardised one by one, so their order shows in the order of the rows' values.
    np.testing.assert_array_equal(one.argsort(0), other.argsort(0))
    np.testing.assert_array_equal(one.argsort(0)[:, :3], load.argsort(0))
