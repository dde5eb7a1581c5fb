"""What a column is judged to be."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from mtnas.data.data_spec import Feature
from mtnas.data.profiles.inference import infer_features
from mtnas.data.profiles.profiling import profile_columns

N = 1000
RNG = np.random.default_rng(0)


def judge(values: object, name: str = "x") -> Feature | str:
    table = pa.table({name: values})
    features, left_out = infer_features(profile_columns(table), num_rows=table.num_rows)
    return features[0] if features else left_out[name]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("price", RNG.normal(size=N), "numeric"),
        ("age", RNG.integers(0, 90, N), "numeric"),
        ("weekday", RNG.integers(0, 7, N), "categorical"),
        ("weekday", RNG.integers(0, 7, N).astype(float), "categorical"),
        ("weekday", RNG.integers(0, 7, N).astype(str), "categorical"),
        ("user_id", RNG.integers(0, 300, N), "categorical"),
        ("itemId", RNG.integers(0, 300, N), "categorical"),
        ("occupation_code", RNG.integers(0, 50, N), "categorical"),
        ("idea", RNG.integers(0, 300, N), "numeric"),
        ("flag", RNG.random(N) < 0.5, "categorical"),
        ("city", RNG.choice(["Rome", "Oslo"], N), "categorical"),
        ("amount", RNG.normal(size=N).astype(str), "numeric"),
        ("amount", [*RNG.normal(size=N - 1).astype(str), "oops"], "numeric"),
        ("grade", [*RNG.integers(1, 6, N - 1).astype(str), "pass"], "categorical"),
        ("vector", [[0.5, 1.5]] * (N - 1) + [[1.0, 2.0]], "dense_vector"),
        ("vector", [f"{x:.2f} {y:.2f}" for x, y in RNG.normal(size=(N, 2))], "dense_vector"),
        ("tags", [["a"], ["a", "b"]] * (N // 2), "multi_valued"),
        ("basket", [[1, 2], [3]] * (N // 2), "multi_valued"),
        ("tags", ["|".join(RNG.choice(list("abcdefg"), 3)) for _ in range(N)], "multi_valued"),
    ],
)
def test_an_input_is_of_that_kind(name: str, values: object, kind: str) -> None:
    judged = judge(values, name)
    assert isinstance(judged, Feature), judged
    assert judged.kind == kind


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("row", np.arange(N), "row number"),
        ("user_id", RNG.permutation(N) * 7, "identifier"),
        ("comment", [f"text {number}" for number in range(N)], "free text"),
        ("always", ["x"] * N, "one value"),
        ("nothing", pa.nulls(N), "no values"),
        ("when", [datetime.datetime(2020, 1, 1) + datetime.timedelta(days=day) for day in range(N)], "moment"),
        ("ragged", [[0.5], [0.5, 1.0]] * (N // 2), "different lengths"),
        ("nested", [{"a": 1}, {"a": 2}] * (N // 2), "type"),
    ],
)
def test_a_column_is_left_out_for_that_reason(name: str, values: object, reason: str) -> None:
    assert reason in str(judge(values, name))


def test_the_separator_of_a_text_is_found() -> None:
    judged = judge(["|".join(RNG.choice(list("abcdefg"), 3)) for _ in range(N)])
    assert isinstance(judged, Feature)
    assert judged.separator == "|"


def test_a_value_that_is_only_sometimes_there_is_an_input() -> None:
    assert isinstance(judge(["x", None] * (N // 2)), Feature)


def test_excluded_columns_are_neither_inputs_nor_reported() -> None:
    table = pa.table({"x": RNG.normal(size=N), "y": RNG.normal(size=N)})
    features, left_out = infer_features(profile_columns(table), num_rows=N, never={"y"})
    assert [feature.column for feature in features] == ["x"]
    assert left_out == {}
