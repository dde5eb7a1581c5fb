"""Knots, preparations and categories: what training rows decide, what other rows become, what every option changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtnas.data import DataSchema, encode_rows
from mtnas.data.data_spec import Feature
from mtnas.data.encoding.fitting import fit_schema
from mtnas.data.encoding.knots import fit_knots
from mtnas.data.encoding_spec import (
    CategoricalSpec,
    NumericSpec,
    PeriodicNumbers,
    PiecewiseNumbers,
    PlainNumbers,
    RangedNumbers,
)
from mtnas.errors import DataError

FINITE = st.floats(allow_nan=False, allow_infinity=False)
PREPARATIONS: tuple[Any, ...] = ("standard", "robust", "quantile")
X = (Feature(column="x", kind="numeric"),)


def fitted(values: Sequence[float | None], spec: NumericSpec, *, train: int | None = None) -> DataSchema:
    table = pa.table({"x": pa.array(values, pa.float64())})
    return fit_schema(table, X, np.arange(len(values) if train is None else train), numeric=spec)


def encoded(schema: DataSchema, values: Sequence[float | None]) -> Any:
    return encode_rows(schema, pa.table({"x": pa.array(values, pa.float64())})).numeric


@given(st.lists(FINITE, min_size=2, max_size=40), st.integers(2, 12))
@settings(deadline=None)
def test_knots_ascend_from_the_least_to_the_largest_value(values: list[float], bins: int) -> None:
    knots = fit_knots(np.array(values), bins=bins)
    distinct = np.unique(values)
    assert len(knots) <= bins + 1
    assert list(knots) == sorted(set(knots))
    assert set(knots) <= set(distinct.tolist())
    assert len(knots) == 0 if distinct.size < 2 else (knots[0], knots[-1]) == (distinct[0], distinct[-1])


def test_a_value_that_many_rows_hold_is_a_knot_between_its_neighbours() -> None:
    values = np.concatenate((np.zeros(900), np.arange(-20, 0), np.arange(1, 81))).astype(float)
    knots = fit_knots(values, bins=10)
    assert {-1.0, 0.0, 1.0} <= set(knots)
    assert len(knots) == 11
    assert sum(knot > 1 for knot in knots) >= 4  # the other rows decide where the rest of them lie


@given(
    st.lists(FINITE, min_size=2, max_size=20), st.lists(FINITE, min_size=1, max_size=20), st.sampled_from(PREPARATIONS)
)
@settings(deadline=None)
def test_any_number_gets_a_finite_input_and_a_place_that_keeps_their_order(
    train: list[float], others: list[float], prepare: Any
) -> None:
    schema = fitted(train, PiecewiseNumbers(bins=4, prepare=prepare))
    json.dumps(schema.to_json(), allow_nan=False)
    values = sorted([*train, *others])
    numeric = encoded(schema, values)
    assert np.isfinite(numeric).all()
    assert (np.diff(numeric[:, 0]) >= 0).all()
    if schema.with_knots:
        assert numeric.shape[1] == 2
        assert (np.diff(numeric[:, 1]) >= 0).all()
        assert numeric[:, 1].min() >= 0
        assert numeric[:, 1].max() <= len(schema.numeric[0].knots) - 1


def test_places_count_segments_and_shares_and_stay_at_the_ends() -> None:
    schema = fitted([0.0, 10.0, 30.0], PiecewiseNumbers())
    assert encoded(schema, [-7.0, 0.0, 5.0, 10.0, 15.0, 30.0, 99.0])[:, 1].tolist() == [0, 0, 0.5, 1, 1.25, 2, 2]


@pytest.mark.parametrize("prepare", PREPARATIONS)
def test_a_missing_number_is_read_as_the_centre(prepare: Any) -> None:
    values = [1.0, 2.0, 3.0, 10.0, 50.0] * 20
    schema = fitted(values, PiecewiseNumbers(prepare=prepare))
    centre = 13.2 if prepare == "standard" else 3.0
    missing, at_centre = encoded(schema, [None, centre])
    assert prepare == "quantile" or missing[0] == 0
    np.testing.assert_allclose(missing, at_centre, atol=0.01)


@pytest.mark.parametrize("prepare", PREPARATIONS)
def test_a_schema_does_not_depend_on_the_order_of_rows_and_survives_json(prepare: Any) -> None:
    values = np.random.default_rng(0).lognormal(size=500).round(1)
    schemas = [fitted(list(order), PiecewiseNumbers(bins=8, prepare=prepare)) for order in (values, values[::-1])]
    assert schemas[0] == schemas[1] == DataSchema.from_json(json.loads(json.dumps(schemas[0].to_json())))


def test_robust_numbers_stay_within_three_and_quantiles_are_normal() -> None:
    values = [*np.random.default_rng(0).lognormal(sigma=2, size=2000), 1e9]
    robust = encoded(fitted(values, PlainNumbers(prepare="robust")), values)[:, 0]
    assert np.abs(robust).max() <= 3
    normal = encoded(fitted(values, PlainNumbers(prepare="quantile")), values)[:, 0]
    assert abs(normal.mean()) < 0.05
    assert normal.std() == pytest.approx(1, abs=0.05)


def test_ties_keep_an_order_under_quantiles() -> None:
    zero, one = encoded(fitted([0.0] * 900 + [1.0] * 100, PlainNumbers(prepare="quantile")), [0.0, 1.0])[:, 0]
    assert -1 < zero < one


BASE: tuple[NumericSpec, ...] = (PlainNumbers(), RangedNumbers(), PiecewiseNumbers(), PeriodicNumbers())
CHANGES: dict[str, Any] = {
    "prepare": "robust",
    "bins": 5,
    "width": 3,
    "frequencies": 4,
    "deviation": 0.2,
    "shared": True,
}


@pytest.mark.parametrize("spec", BASE, ids=lambda spec: spec.kind)
def test_every_option_changes_what_is_fitted(spec: NumericSpec) -> None:
    values = np.random.default_rng(0).lognormal(size=300).tolist()
    options = set(type(spec).model_fields) - {"kind"}
    specs = [spec, *(spec.model_copy(update={name: CHANGES[name]}) for name in options)]
    found = [fitted(values, changed) for changed in specs]
    assert len({json.dumps(schema.to_json()) for schema in found}) == len(found)


def test_a_number_with_no_bins_or_a_single_value_stays_a_number() -> None:
    table = pa.table({"x": [1.0, 2.0, 3.0], "alone": [1.0, 2.0, 4.0], "constant": [5.0, 5.0, 5.0]})
    features = [*X, Feature(column="alone", kind="numeric", bins=0), Feature(column="constant", kind="numeric")]
    maps = fit_schema(table, features, np.arange(3), numeric=PiecewiseNumbers()).inputs.numbers
    assert maps is not None
    assert (maps.columns, maps.segments, maps.places) == ((0,), (2,), (3,))


def test_a_width_of_one_number_is_refused_where_all_have_one() -> None:
    table = pa.table({"x": [1.0, 2.0]})
    feature = Feature(column="x", kind="numeric", embedding_width=4)
    with pytest.raises(DataError, match="embedding_width of 4"):
        fit_schema(table, [feature], np.arange(2), numeric=PiecewiseNumbers())


def test_few_values_become_indicators_and_the_width_follows_the_vocabulary() -> None:
    table = pa.table({"few": ["a", "b", "a", None], "many": ["p", "q", "r", "s"], "own": ["a", "b", "a", "b"]})
    features = [
        Feature(column="few", kind="categorical"),
        Feature(column="many", kind="categorical"),
        Feature(column="own", kind="categorical", embedding_width=5),
    ]
    schema = fit_schema(table, features, np.arange(4), categorical=CategoricalSpec(one_hot=3, width="vocabulary"))
    shape = schema.inputs
    assert (shape.vocabularies, shape.embedding_widths, shape.one_hot) == ((3, 5, 3), (2, 4, 5), (0,))
    assert shape.num_params == 5 * 4 + 3 * 5
    assert [CategoricalSpec(width="vocabulary").width_for(n) for n in (1, 10, 100, 10_000)] == [2, 4, 16, 64]
