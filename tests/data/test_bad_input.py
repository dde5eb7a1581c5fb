"""Whatever is wrong with the data ends in a DataError that names the place; the profile shows most of it beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest

from mtnas.data import Profile, check_against_profile, load, profile
from mtnas.data.data_spec import DatasetSource, DataSpec, Feature, FileSource
from mtnas.errors import DataAccessError, DataError
from mtnas.tasks import Task, TaskKind
from tests.data.people import FEATURES, NUM_ROWS, TASKS, access_to, people, replaced, spec_for, write_csv

ROW = 17


def with_value(column: str, value: object) -> Callable[[pa.Table], pa.Table]:
    """Changes one value, in row 17."""

    def change(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        values[ROW - 1] = value
        return replaced(table, column, [None if item is None else type(value)(item) for item in values])

    return change


def constant(column: str, value: object) -> Callable[[pa.Table], pa.Table]:
    return lambda table: replaced(table, column, [value] * table.num_rows)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fault in the table or the request, where it must be reported, and whether a profile shows it."""

    name: str
    where: str
    change: Callable[[pa.Table], pa.Table] = lambda table: table
    spec: dict[str, object] = field(default_factory=dict)
    tasks: tuple[Task, ...] = TASKS
    shown_by_profile: bool = True


def task(kind: TaskKind, label: str, num_classes: int = 1) -> tuple[Task, ...]:
    return (Task(name="y", kind=kind, label=label, num_classes=num_classes),)


CASES = (
    Case(name="unknown label", where="tasks[0].label", tasks=task(TaskKind.BINARY, "ritch")),
    Case(
        name="unknown feature",
        where="data.features[0].column",
        spec={"features": (Feature(column="z", kind="numeric"),)},
    ),
    Case(name="unknown exclude", where="data.exclude[0]", spec={"exclude": ("z",)}),
    Case(name="unknown split column", where="data.split.column", spec={"split": {"kind": "group", "column": "z"}}),
    Case(
        name="label as feature",
        where="data.features[5].column",
        spec={"features": (*FEATURES, Feature(column="rich", kind="numeric"))},
    ),
    Case(name="feature excluded", where="data.features[2].column", spec={"exclude": ("height",)}),
    Case(name="feature twice", where="data.features[5].column", spec={"features": (*FEATURES, FEATURES[0])}),
    Case(name="constant label", where="column 'rich'", change=constant("rich", 1)),
    Case(name="label all missing", where="column 'rich'", change=constant("rich", None)),
    Case(name="binary label with a 2", where="column 'rich'", change=with_value("rich", 2)),
    Case(name="binary label with text", where="column 'rich'", change=with_value("rich", "maybe")),
    Case(name="class out of range", where="column 'job'", change=with_value("job", 3)),
    Case(
        name="class of fractions",
        where="column 'height'",
        tasks=task(TaskKind.MULTICLASS, "height", 3),
        spec={"features": FEATURES[:2]},
    ),
    Case(
        name="too many class texts",
        where="column 'city'",
        tasks=task(TaskKind.MULTICLASS, "city", 2),
        spec={"features": FEATURES[1:]},
    ),
    Case(name="text in regression label", where="column 'wage', row 17", change=with_value("wage", "much")),
    Case(name="infinite label", where="column 'wage', row 17", change=with_value("wage", float("inf"))),
    Case(name="text in numeric column", where="column 'age', row 17", change=with_value("age", "old")),
    Case(
        name="texts in numeric column",
        where="column 'city', row",
        spec={"features": (Feature(column="city", kind="numeric"),)},
    ),
    Case(name="infinity", where="column 'height', row 17", change=with_value("height", float("inf"))),
    Case(name="all missing", where="column 'age'", change=constant("age", None)),
    Case(name="all missing, inferred", where="column 'age'", change=constant("age", None), spec={"features": "infer"}),
    Case(
        name="split value that is not there",
        where="data.split.test",
        spec={"split": {"kind": "column", "column": "half", "train": ("a",), "valid": ("b",), "test": ("z",)}},
    ),
    Case(
        name="group missing",
        where="column 'city'",
        spec={"split": {"kind": "group", "column": "city"}, "features": FEATURES[1:]},
    ),
    Case(
        name="empty part", where="data.split", spec={"split": {"kind": "ratio", "valid": 1e-6}}, shown_by_profile=False
    ),
    Case(name="empty part in a sample", where="data.split", spec={"max_rows": 3}, shown_by_profile=False),
    Case(name="bad vector", where="column 'place', row 17", change=with_value("place", "1.0"), shown_by_profile=False),
    Case(
        name="cap on the vocabulary",
        where="column 'person'",
        spec={"features": (Feature(column="person", kind="categorical", max_vocabulary=3),)},
        shown_by_profile=False,
    ),
    Case(
        name="nothing left to learn from",
        where="data.features",
        spec={"features": "infer", "exclude": ("city", "age", "height", "likes", "place", "person", "day", "half")},
        shown_by_profile=False,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_is_refused_at_its_place(tmp_path: Path, case: Case) -> None:
    name = write_csv(case.change(people()), tmp_path)
    with pytest.raises(DataError) as caught:
        load(spec_for(name, **case.spec), case.tasks, access=access_to(tmp_path))
    assert case.where in caught.value.where
    assert not list((tmp_path / "cache").glob("encoded/*"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_stored_profile_shows_what_it_can(tmp_path: Path, case: Case) -> None:
    name = write_csv(case.change(people()), tmp_path)
    stored = profile(FileSource(paths=(name,)), access=access_to(tmp_path)).to_json()
    known = Profile.from_json(json.loads(json.dumps(stored)))
    problems = check_against_profile(spec_for(name, **case.spec), case.tasks, known)
    errors = [problem for problem in problems if problem.severity == "error"]
    assert bool(errors) == case.shown_by_profile
    if errors:
        assert any(case.where.split(", row")[0] in problem.where for problem in errors)


def test_a_sound_request_has_no_problems(tmp_path: Path) -> None:
    name = write_csv(people(), tmp_path)
    known = profile(FileSource(paths=(name,)), access=access_to(tmp_path))
    for features in ("infer", FEATURES):
        assert check_against_profile(spec_for(name, features=features), TASKS, known) == ()


def test_a_column_that_tells_a_label_is_a_warning_before_reading(tmp_path: Path) -> None:
    table = people()
    name = write_csv(table.append_column("Rich", table.column("rich")), tmp_path)
    known = profile(FileSource(paths=(name,)), access=access_to(tmp_path))
    found = check_against_profile(spec_for(name, features="infer"), TASKS, known)
    assert {(problem.where, problem.severity) for problem in found} == {("column 'Rich'", "warning")}
    assert check_against_profile(spec_for(name, features="infer", exclude=("Rich",)), TASKS, known) == ()


def test_without_a_profile_a_files_columns_are_not_judged() -> None:
    assert check_against_profile(spec_for("any.csv"), TASKS, None) == ()


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("../outside.csv", "data.source.paths[0]"),
        ("absent.csv", "data.source.paths[0]"),
        ("link.csv", "data.source.paths[0]"),
    ],
)
def test_a_file_that_may_not_be_read_is_an_access_error(tmp_path: Path, path: str, where: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    write_csv(people(), tmp_path, "outside.csv")
    (root / "link.csv").symlink_to(tmp_path / "outside.csv")
    with pytest.raises(DataAccessError) as caught:
        load(spec_for(path), TASKS, access=access_to(root))
    assert caught.value.where == where


def test_an_unknown_registered_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data.source.name.*'mine'"):
        load(DataSpec(source=DatasetSource(name="mine")), TASKS, access=access_to(tmp_path))


def test_a_constant_label_in_one_part_alone_is_refused(tmp_path: Path) -> None:
    table = people()
    halves = table.column("half").to_pylist()
    rich = [0 if half == "c" else value for half, value in zip(halves, table.column("rich").to_pylist(), strict=True)]
    name = write_csv(replaced(table, "rich", rich), tmp_path)
    split = {"kind": "column", "column": "half", "train": ("a",), "valid": ("b",), "test": ("c",)}
    with pytest.raises(DataError, match="part 'test'"):
        load(spec_for(name, split=split), TASKS, access=access_to(tmp_path))
    assert table.num_rows == NUM_ROWS
