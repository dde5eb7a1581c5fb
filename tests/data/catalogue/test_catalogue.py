"""Every set of the catalogue says enough about itself to be listed and asked for without reading it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtnas.data import CATALOGUE, DataAccess, check_against_profile, load
from mtnas.data.data_spec import CatalogueSource, DataSpec, Feature
from mtnas.errors import DataError
from mtnas.tasks import Task, TaskKind

NAMES = ("census-income", "flights", "omniglot", "planted")


def spec_for(name: str, **changes: object) -> DataSpec:
    return DataSpec.model_validate({"source": {"kind": "catalogue", "name": name}} | changes)


def test_the_catalogue_holds_these_sets() -> None:
    assert tuple(CATALOGUE) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_set_is_listed_as_json(name: str) -> None:
    listed = json.loads(json.dumps(CATALOGUE[name].describe(), allow_nan=False))
    assert listed["name"] == name
    assert listed["licence"]
    assert listed["citation"]
    assert set(listed["default_tasks"]) <= {task["name"] for task in listed["tasks"]}
    assert {task["label"] for task in listed["tasks"]} <= set(listed["columns"])


@pytest.mark.parametrize("name", NAMES)
def test_no_label_is_an_input_or_splits_the_rows(name: str) -> None:
    known = CATALOGUE[name]
    options = known.options()
    labels = {task.label for task in known.labels(options)}
    inputs = [feature.column for feature in known.features(options)]
    assert labels.isdisjoint(inputs)
    assert len(set(inputs)) == len(inputs)
    split = known.split(options)
    assert getattr(split, "column", None) not in labels | set(inputs)


@pytest.mark.parametrize("name", NAMES)
def test_a_request_by_name_and_labels_is_sound(name: str) -> None:
    known = CATALOGUE[name]
    assert check_against_profile(spec_for(name), known.tasks(known.options()), None) == ()


@pytest.mark.parametrize("name", NAMES)
def test_the_label_of_a_task_that_was_not_asked_for_is_no_input_either(name: str) -> None:
    known = CATALOGUE[name]
    *asked, other = known.labels(known.options())
    spec = spec_for(name, features=(Feature(column=other.label, kind="numeric"),))
    (problem,) = check_against_profile(spec, asked, None)
    assert problem.where == "data.features[0].column"


@pytest.mark.parametrize(
    ("source", "label", "where"),
    [
        ({"name": "flyghts"}, "cancelled", "data.source.name"),
        ({"name": "flights", "options": {"year": 2014}}, "cancelled", "data.source.options.year"),
        ({"name": "flights"}, "canceled", "tasks[0].label"),
        ({"name": "census-income", "options": {"group": 3}}, "income", "data.source.options.group"),
    ],
)
def test_a_wrong_name_option_or_label_is_found_without_reading(
    tmp_path: Path, source: dict[str, object], label: str, where: str
) -> None:
    spec = DataSpec(source=CatalogueSource.model_validate(source))
    tasks = (Task(name="y", kind=TaskKind.BINARY, label=label),)
    (problem,) = check_against_profile(spec, tasks, None)
    assert problem.where.startswith(where)
    if where != "tasks[0].label":  # a label alone is found by reading
        with pytest.raises(DataError) as caught:
            load(spec, tasks, access=DataAccess(cache=tmp_path, data_dir=None))
        assert (caught.value.where, caught.value.expected) == (problem.where, problem.expected)
