"""A profile counts what columns hold, survives JSON, and never fails on what is in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from mtnas.data import ColumnProfile, Profile, profile
from mtnas.data.data_spec import DatasetSource, FileSource
from mtnas.data.profiles.profiling import profile_columns
from tests.data.people import access_to, people, write_csv


def column(values: object) -> ColumnProfile:
    return profile_columns(pa.table({"x": values}))[0]


def test_numbers_are_counted() -> None:
    found = column([1.0, 1.0, 2.5, None, float("nan"), float("inf"), -float("inf")])
    assert (found.missing, found.distinct, found.minimum, found.maximum) == (2, 4, 1.0, 2.5)
    assert (found.infinities, found.first_infinity, found.whole) == (2, 6, False)
    assert found.top[0] == ("1", 2)


def test_a_text_among_numbers_is_found_with_its_row() -> None:
    found = column(["1", "2", "", "three", "4", "five"])
    assert found.first_text == (4, "three")
    assert found.numeric_share == 3 / 5
    assert found.missing == 1


def test_the_rate_of_a_binary_column_is_told_and_of_no_other() -> None:
    assert column([0, 1, 1, None]).binary_rate == 2 / 3
    assert column(["true", "False", ""]).binary_rate == 1 / 2
    assert column([True, True]).binary_rate == 1.0
    assert column([0, 1, 2]).binary_rate is None


def test_a_long_text_is_shown_cut() -> None:
    assert len(column(["x" * 1000, "y"]).top[0][0]) == 80


@given(
    st.lists(
        st.one_of(st.none(), st.floats(), st.text(max_size=5), st.booleans(), st.integers(-(2**60), 2**60)).map(
            lambda value: None if value is None else str(value)
        ),
        min_size=1,
    )
)
@settings(deadline=None)
def test_any_texts_can_be_profiled_and_stored(values: list[str | None]) -> None:
    columns = profile_columns(pa.table({"x": pa.array(values, pa.string())}))
    whole = Profile(digest="d", num_rows=len(values), columns=columns, inferred={}, left_out={})
    assert Profile.from_json(json.loads(json.dumps(whole.to_json(), allow_nan=False))) == whole
    assert columns[0].missing + sum(count for _, count in columns[0].top) <= len(values)


@given(st.lists(st.one_of(st.none(), st.floats()), min_size=1))
@settings(deadline=None)
def test_any_numbers_can_be_profiled_and_stored(values: list[float | None]) -> None:
    (found,) = profile_columns(pa.table({"x": pa.array(values, pa.float64())}))
    json.dumps(Profile(digest="d", num_rows=1, columns=(found,), inferred={}, left_out={}).to_json(), allow_nan=False)
    assert found.infinities == sum(value is not None and np.isinf(value) for value in values)


def test_a_source_is_profiled_and_names_what_gives_a_label_away(tmp_path: Path) -> None:
    table = people(500)
    copy = pa.array([None if value is None else f"code {value}" for value in table.column("rich").to_pylist()])
    access = access_to(tmp_path)
    source = FileSource(paths=(write_csv(table.append_column("outcome", copy), tmp_path),))
    found = profile(source, access=access)
    assert found.num_rows == 500
    assert found.inferred["city"] == "categorical"
    assert found.inferred["place"] == "dense_vector"
    assert found.column("rich") is not None
    assert found.column("absent") is None
    told = {(giveaway.column, giveaway.label) for giveaway in found.giveaways}
    assert ("outcome", "rich") in told
    assert ("age", "rich") not in told
    assert Profile.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


def test_the_digest_follows_the_content_not_the_name(tmp_path: Path) -> None:
    access = access_to(tmp_path)
    digests = []
    for name, rows in (("a.csv", 100), ("b.csv", 100), ("c.csv", 101)):
        digests.append(profile(FileSource(paths=(write_csv(people(rows), tmp_path, name),)), access=access).digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_registered_set_is_profiled_by_its_name(tmp_path: Path) -> None:
    source = {"kind": "file", "paths": [write_csv(people(100), tmp_path)]}
    access = access_to(tmp_path)
    named = type(access)(roots=access.roots, cache=access.cache, registered={"mine": source}, data_dir=None)
    assert profile(DatasetSource(name="mine"), access=named).num_rows == 100
