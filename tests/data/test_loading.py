"""A request becomes arrays: the same request the same arrays, from the cache the second time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtnas.data import EncodedData, encode_rows, load
from mtnas.data.data_spec import ColumnSplit, DatasetSource, DataSpec, FileSource, GroupSplit, JoinedTable, TimeSplit
from mtnas.data.encoding.cache import encoded_folder, read_encoded, write_encoded
from tests.data.people import FEATURES, TASKS, access_to, people, spec_for, write_csv


@pytest.fixture
def name(tmp_path: Path) -> str:
    return write_csv(people(), tmp_path)


def assert_same(left: EncodedData, right: EncodedData) -> None:
    np.testing.assert_array_equal(left.categorical, right.categorical)
    np.testing.assert_array_equal(left.numeric, right.numeric)
    np.testing.assert_array_equal(left.labels, right.labels)
    assert all(np.array_equal(left.parts[part], right.parts[part]) for part in left.parts)
    assert left.schema == right.schema


def test_the_second_load_comes_from_the_cache_and_is_the_same(tmp_path: Path, name: str) -> None:
    access = access_to(tmp_path)
    first = load(spec_for(name), TASKS, access=access)
    arrays = sorted(encoded_folder(access.cache, first.digest).glob("*.npy"))
    written = [path.stat().st_mtime_ns for path in arrays]
    second = load(spec_for(name), TASKS, access=access)
    assert written == [path.stat().st_mtime_ns for path in arrays]
    assert first.digest == second.digest
    assert_same(first, second)
    for (offsets, values), (other_offsets, other_values) in zip(first.bags, second.bags, strict=True):
        np.testing.assert_array_equal(offsets, other_offsets)
        np.testing.assert_array_equal(values, other_values)


def test_two_caches_hold_the_same_for_the_same_request(tmp_path: Path, name: str) -> None:
    access = access_to(tmp_path)
    first = load(spec_for(name), TASKS, access=access)
    second = load(spec_for(name), TASKS, access=replace(access, cache=tmp_path / "elsewhere"))
    assert first.digest == second.digest
    assert_same(first, second)


@pytest.mark.parametrize(
    "changes",
    [
        {"features": FEATURES[:2]},
        {"features": "infer"},
        {"features": "infer", "exclude": ("height",)},
        {"search_share": 0.3},
        {"max_rows": 300},
        {"split": GroupSplit(column="person", valid=0.2, test=0.2)},
    ],
)
def test_whatever_changes_the_arrays_changes_the_digest(tmp_path: Path, name: str, changes: dict[str, object]) -> None:
    access = access_to(tmp_path)
    plain = load(spec_for(name), TASKS, access=access)
    assert load(spec_for(name, **changes), TASKS, access=access).digest != plain.digest
    assert load(spec_for(name), TASKS[:2], access=access).digest != plain.digest


def test_weights_and_towers_of_tasks_do_not_change_the_digest(tmp_path: Path, name: str) -> None:
    access = access_to(tmp_path)
    heavier = [replace(task, weight=2.0, tower=()) for task in TASKS]
    assert load(spec_for(name), heavier, access=access).digest == load(spec_for(name), TASKS, access=access).digest


def test_a_shared_cache_names_the_tasks_of_the_job_that_reads_it(tmp_path: Path, name: str) -> None:
    access = access_to(tmp_path)
    own = replace(TASKS[1], weight_column="height")
    features = tuple(feature for feature in FEATURES if feature.column != "height")
    spec = spec_for(name, features=features)
    first = load(spec, [TASKS[0], own], access=access)
    renamed = [replace(task, name=f"second_{task.name}") for task in (TASKS[0], own)]
    second = load(spec, renamed, access=access)
    assert second.digest == first.digest
    assert [path.name for path in (access.cache / "encoded").iterdir()] == [first.digest]
    reasons = {column.name: column.reason for column in second.columns}
    assert reasons["rich"] == "label of task 'second_rich'"
    assert reasons["height"] == "weighs rows for task 'second_wage'"
    fresh = load(spec, renamed, access=replace(access, cache=tmp_path / "elsewhere"))
    assert second.columns == fresh.columns


def test_a_changed_file_is_read_again(tmp_path: Path, name: str) -> None:
    access = access_to(tmp_path)
    before = load(spec_for(name), TASKS, access=access)
    write_csv(people(seed=1), tmp_path)
    assert load(spec_for(name), TASKS, access=access).digest != before.digest


@pytest.mark.parametrize("damage", ["encoded.json", "numeric.npy"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, name: str, damage: str) -> None:
    access = access_to(tmp_path)
    first = load(spec_for(name), TASKS, access=access)
    path = encoded_folder(access.cache, first.digest) / damage
    numeric = np.array(first.numeric)
    path.write_bytes(path.read_bytes()[:-10])
    again = load(spec_for(name), TASKS, access=access)
    np.testing.assert_array_equal(again.numeric, numeric)
    assert read_encoded(first.digest, cache=access.cache) is not None
    assert [path.name for path in (access.cache / "encoded").iterdir()] == [first.digest]


def test_writing_what_is_there_already_changes_nothing(tmp_path: Path, name: str) -> None:
    access = access_to(tmp_path)
    data = load(spec_for(name), TASKS, access=access)
    write_encoded(data, cache=access.cache)
    assert [path.name for path in (access.cache / "encoded").iterdir()] == [data.digest]


def test_the_cache_holds_no_pickles(tmp_path: Path, name: str) -> None:
    access = access_to(tmp_path)
    data = load(spec_for(name), TASKS, access=access)
    for path in encoded_folder(access.cache, data.digest).iterdir():
        assert path.suffix in {".npy", ".json"}
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)


def test_arrays_are_what_the_schema_makes_of_the_file(tmp_path: Path, name: str) -> None:
    data = load(spec_for(name), TASKS, access=access_to(tmp_path))
    rows = encode_rows(data.schema, people())
    np.testing.assert_array_equal(rows.categorical, data.categorical)
    np.testing.assert_allclose(rows.numeric, data.numeric, atol=1e-6)


def test_tasks_may_label_different_rows(tmp_path: Path, name: str) -> None:
    data = load(spec_for(name), TASKS, access=access_to(tmp_path))
    absent = np.isnan(data.labels).sum(axis=0)
    expected = [people().column(task.label).null_count for task in TASKS]
    assert absent.tolist() == expected
    assert absent[0] > 0 == absent[2]


def test_inferred_inputs_hold_no_label_and_not_the_column_that_splits(tmp_path: Path, name: str) -> None:
    split = ColumnSplit(column="half", train=("a", "b"), test=("c",), halve_test=True)
    spec = spec_for(name, features="infer", split=split, exclude=("day",))
    data = load(spec, TASKS, access=access_to(tmp_path))
    assert set(data.schema.columns) == {"city", "age", "height", "likes", "place", "person"}


def test_a_sample_keeps_each_rows_part_and_the_training_rows_alone_teach(tmp_path: Path, name: str) -> None:
    access = access_to(tmp_path)
    data = load(spec_for(name, max_rows=200), TASKS, access=access)
    assert data.num_rows == 200
    assert sum(map(len, data.parts.values())) == 200
    numeric = data.numeric[data.parts["train"]][:, 1]
    assert abs(numeric.mean()) < 1e-5


def test_a_column_that_tells_a_label_is_a_warning(tmp_path: Path) -> None:
    table = people()
    table = table.append_column("wage_in_cents", pa.array([w and w * 100 for w in table.column("wage").to_pylist()]))
    spec = spec_for(write_csv(table, tmp_path), features="infer")
    warnings = load(spec, TASKS, access=access_to(tmp_path)).warnings
    assert [warning.where for warning in warnings if warning.where.startswith("column")] == [
        "column 'wage_in_cents'",
        "column 'person'",
    ]
    assert "split by group" in next(each for each in warnings if "person" in each.where).expected
    assert load(spec, TASKS, access=access_to(tmp_path)).warnings == warnings


def test_several_files_are_one_table_and_others_join_it(tmp_path: Path) -> None:
    table = people()
    write_csv(table.slice(0, 150), tmp_path, "first.csv")
    pq.write_table(table.slice(150), tmp_path / "second.parquet")
    write_csv(pa.table({"city": ["Rome", "Oslo"], "size": [3, 1]}), tmp_path, "cities.csv")
    source = FileSource(
        paths=("first.csv", "second.parquet"), join=(JoinedTable(path="cities.csv", on=("city",), prefix="city_"),)
    )
    features = (*FEATURES, {"column": "city_size", "kind": "categorical"})
    data = load(DataSpec.model_validate({"source": source, "features": features}), TASKS, access=access_to(tmp_path))
    assert data.num_rows == table.num_rows
    sizes = {"Rome": "3", "Oslo": "1", "Lima": None, None: None}
    values = (None, *data.schema.categorical[1].values)
    found = [values[index] for index in data.categorical[:, 1]]
    assert found == [sizes[city] for city in table.column("city").to_pylist()]


def test_a_registered_set_is_loaded_by_its_name(tmp_path: Path, name: str) -> None:
    access = replace(access_to(tmp_path), registered={"mine": {"kind": "file", "paths": [name]}})
    named = load(spec_for(name).model_copy(update={"source": DatasetSource(name="mine")}), TASKS, access=access)
    assert named.digest == load(spec_for(name), TASKS, access=access).digest


def test_data_without_numbers_or_without_categories_can_be_cached(tmp_path: Path, name: str) -> None:
    access = access_to(tmp_path)
    spec = spec_for(name, features=FEATURES[:1], split=TimeSplit(column="day", valid=0.2, test=0.2))
    for features in (FEATURES[:1], FEATURES[4:]):
        data = load(spec.model_copy(update={"features": features}), TASKS[1:], access=access)
        assert data.categorical.shape == (data.num_rows, len(data.inputs.vocabularies))
        assert data.numeric.shape == (data.num_rows, data.inputs.num_numeric)
