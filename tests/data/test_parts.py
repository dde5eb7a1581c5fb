"""The four parts are disjoint, cover what they should, and depend on nothing but the seed and the row."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mtnas.data.data_spec import ColumnSplit, GroupSplit, RatioSplit, Split, TimeSplit
from mtnas.data.parts import PARTS, sample_rows, split_rows
from mtnas.errors import DataError
from tests.data.people import people, replaced

SPLITS: tuple[Split, ...] = (
    RatioSplit(valid=0.2, test=0.2, seed=3),
    GroupSplit(column="person", valid=0.2, test=0.2, seed=3),
    TimeSplit(column="day", valid=0.2, test=0.2),
    ColumnSplit(column="half", train=("a", "b"), test=("c",), halve_test=True),
    RatioSplit(valid=0.2, test=0.2, seed=3, stratify=("rich", "job")),
)


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: split.kind)
@given(seed=st.integers(0, 100), search_share=st.floats(0.05, 0.5))
@settings(max_examples=20, deadline=None)
def test_parts_are_disjoint_ascending_and_cover_all_rows(split: Split, seed: int, search_share: float) -> None:
    table = people(1000, seed=seed)
    parts = split_rows(split, table, search_share=search_share)
    assert tuple(parts) == PARTS
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(1000))
    assert all((np.diff(rows) > 0).all() for rows in parts.values())


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: split.kind)
def test_shares_are_about_as_asked(split: Split) -> None:
    parts = split_rows(split, people(20_000), search_share=0.25)
    training = len(parts["train"]) + len(parts["search"])
    assert 0.5 < training / 20_000 < 0.75
    # Groups of 60 people are drawn whole, so theirs is a coarse share.
    tolerance = 0.15 if split.kind == "group" else 0.02
    assert abs(len(parts["search"]) / training - 0.25) < tolerance


@pytest.mark.parametrize("split", SPLITS[:2], ids=lambda split: split.kind)
@given(more=st.integers(0, 500))
@settings(max_examples=20, deadline=None)
def test_appended_rows_move_no_row_to_another_part(split: Split, more: int) -> None:
    whole = people(500 + more)
    before = split_rows(split, whole.slice(0, 500), search_share=0.2)
    after = split_rows(split, whole, search_share=0.2)
    for part in PARTS:
        assert np.array_equal(before[part], after[part][after[part] < 500])


def test_another_seed_gives_other_parts_and_the_same_seed_the_same() -> None:
    table = people(1000)
    for kind in (RatioSplit(seed=1), GroupSplit(column="person", seed=1), SPLITS[3].model_copy(update={"seed": 1})):
        again = split_rows(kind, table, search_share=0.2)
        other = split_rows(kind.model_copy(update={"seed": 2}), table, search_share=0.2)
        assert all(np.array_equal(again[part], split_rows(kind, table, search_share=0.2)[part]) for part in PARTS)
        assert not np.array_equal(again["test"], other["test"])


def test_no_group_is_in_two_parts_search_included() -> None:
    table = people(2000)
    people_of = [
        set(np.asarray(table.column("person"))[rows])
        for rows in split_rows(SPLITS[1], table, search_share=0.3).values()
    ]
    assert sum(map(len, people_of)) == len(set.union(*people_of))


def test_a_groups_part_does_not_depend_on_the_order_or_number_of_rows() -> None:
    table = people(2000)
    order = np.random.default_rng(0).permutation(2000)
    straight = split_rows(SPLITS[1], table, search_share=0.3)
    shuffled = split_rows(SPLITS[1], table.take(order), search_share=0.3)
    for part in PARTS:
        assert set(order[shuffled[part]]) == set(straight[part])


@pytest.mark.parametrize("convert", [lambda day: day, lambda day: f"2020-01-{day:02d}", lambda day: date(2020, 1, day)])
def test_time_goes_forward_and_a_moment_is_never_cut(convert: object) -> None:
    days = np.random.default_rng(0).integers(1, 29, 1000)
    table = pa.table({"day": [convert(int(day)) for day in days]})  # type: ignore[operator]
    parts = split_rows(TimeSplit(column="day", valid=0.2, test=0.2), table, search_share=0.2)
    training = np.concatenate([days[parts["train"]], days[parts["search"]]])
    assert training.max() < days[parts["valid"]].min() <= days[parts["valid"]].max() < days[parts["test"]].min()


def test_halving_the_test_rows_follows_the_published_census_protocol() -> None:
    table = pa.table({"half": ["a"] * 50 + ["c"] * 30})
    parts = split_rows(SPLITS[3].model_copy(update={"train": ("a",)}), table, search_share=0.2)
    order = 50 + np.random.RandomState(0).permutation(30)
    assert set(parts["valid"]) == set(order[:15])
    assert set(parts["test"]) == set(order[15:])


def test_rows_with_values_that_are_not_named_are_left_out() -> None:
    split = ColumnSplit(column="half", train=("a",), valid=("b",), test=("b2",))
    table = pa.table({"half": ["a", "a", "b", "b2", "other", None] * 20})
    parts = split_rows(split, table, search_share=0.5)
    assert sum(map(len, parts.values())) == 80


def test_a_sampled_row_keeps_its_part() -> None:
    table = people(1000)
    parts = split_rows(SPLITS[0], table, search_share=0.2)
    rows, sampled = sample_rows(parts, num_rows=1000, max_rows=300)
    assert rows.size == 300
    assert sum(map(len, sampled.values())) == 300
    for part in PARTS:
        assert set(rows[sampled[part]]) <= set(parts[part])


def test_a_larger_sample_holds_the_smaller() -> None:
    parts = split_rows(SPLITS[0], people(1000), search_share=0.2)
    small, _ = sample_rows(parts, num_rows=1000, max_rows=200)
    large, _ = sample_rows(parts, num_rows=1000, max_rows=400)
    assert set(small) < set(large)


@pytest.mark.parametrize(
    ("split", "where"),
    [
        (RatioSplit(valid=0.001, test=0.001), "data.split"),
        (ColumnSplit(column="half", train=("a",), valid=("b",), test=("z",)), "data.split.test"),
        (ColumnSplit(column="absent", train=("a",), valid=("b",), test=("c",)), "data.split.column"),
        (TimeSplit(column="absent"), "data.split.column"),
        (TimeSplit(column="constant"), "data.split"),
        (GroupSplit(column="city"), "column 'city', row 3"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_a_split_that_cannot_be_names_its_place(split: Split, where: str) -> None:
    table = replaced(people(60), "city", ["a", "b", None] * 20).append_column("constant", pa.array([1] * 60))
    with pytest.raises(DataError) as caught:
        split_rows(split, table, search_share=0.2)
    assert caught.value.where == where


@pytest.mark.parametrize(
    "wrong",
    [
        {"train": ("a",), "test": ("b",)},
        {"train": ("a",), "valid": ("b",), "test": ("c",), "halve_test": True},
        {"train": ("a",), "valid": ("a",), "test": ("c",)},
        {"train": (), "valid": ("a",), "test": ("c",)},
    ],
)
def test_a_column_split_must_tell_the_parts_apart(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ColumnSplit.model_validate({"column": "half", **wrong})


def test_shares_must_leave_something_to_train() -> None:
    for kind in (RatioSplit, TimeSplit, GroupSplit):
        with pytest.raises(ValidationError, match="below 1"):
            kind.model_validate({"valid": 0.5, "test": 0.5} | ({} if kind is RatioSplit else {"column": "x"}))


@given(rare=st.integers(4, 12), seed=st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_a_stratified_split_has_rare_values_in_every_part(rare: int, seed: int) -> None:
    values = np.array([1] * rare + [0] * (300 - rare))
    table = pa.table({"y": np.random.default_rng(seed).permutation(values)})
    parts = split_rows(RatioSplit(stratify=("y",), seed=seed), table, search_share=0.125)
    labels = table["y"].to_numpy()
    counts = {part: int(labels[rows].sum()) for part, rows in parts.items()}
    assert min(counts.values()) >= 1
    assert counts["train"] >= rare // 2 - 1
    assert abs(len(parts["test"]) - 30) <= 1
    assert (
        split_rows(RatioSplit(stratify="y", seed=seed), table, search_share=0.125)["test"].tolist()
        == parts[  # type: ignore[arg-type]
            "test"
        ].tolist()
    )


def test_missing_values_are_a_stratum_and_too_many_values_are_refused() -> None:
    table = pa.table({"y": [None, 1] * 20, "x": list(range(40))})
    parts = split_rows(RatioSplit(stratify=("y",)), table, search_share=0.125)
    assert all(table["y"].take(rows).null_count for rows in parts.values())
    many = pa.table({"x": list(range(1001))})
    with pytest.raises(DataError, match="at most 1000 different values"):
        split_rows(RatioSplit(stratify=("x",)), many, search_share=0.125)
