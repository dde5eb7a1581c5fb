"""What ``search.settings`` may say, what that makes searchable, and how refusals name the place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mtnas.errors import SpaceError
from mtnas.problems import from_validation
from mtnas.search.specs.fitness import check_fitness
from mtnas.spec import JobSpec, SampledSearch, SearchedSettings
from mtnas.trials import Settings
from search_spaces import build

JOB: dict[str, Any] = {
    "name": "job",
    "data": {"source": {"kind": "catalogue", "name": "planted"}},
    "tasks": [{"name": "a", "kind": "binary"}, {"name": "b", "kind": "binary"}],
    "training": {"auxiliary": {"gamma": 0.1}},
}
ALL: dict[str, Any] = {
    "weight_decay": {"log_uniform": [1e-6, 1e-2]},
    "dropout": {"grid": [0.0, 0.1]},
    "gamma": {"grid": [0.0, 0.5]},
    "gate": {"temperature": {"log_uniform": [0.3, 2.0]}},
    "task_weights": {"a": {"grid": [0.5, 2.0]}},
    "balancer": {"grid": [{"kind": "equal"}, {"kind": "famo", "lr": 0.1}]},
}


def job(settings: Any, **changes: Any) -> dict[str, Any]:
    return {**JOB, "search": {"kind": "tpe", "settings": settings}, **changes}


def test_everything_named_varies_and_the_rest_stays() -> None:
    searched = SearchedSettings.model_validate(ALL)
    fixed = Settings(lr=0.5, seed=3, gate={"l0": 0.1})
    space = searched.space(fixed, lrs=(1e-3, 1e-2))
    drawn = [space.sample(np.random.default_rng(seed)) for seed in range(40)]
    assert all(space.contains(settings) for settings in drawn)
    assert {s.lr for s in drawn} == {1e-3, 1e-2}
    assert {s.dropout for s in drawn} == {0.0, 0.1}
    assert {s.gamma for s in drawn} == {0.0, 0.5}
    assert {s.task_weights["a"] for s in drawn} == {0.5, 2.0}
    assert len({s.weight_decay for s in drawn}) == len({s.gate["temperature"] for s in drawn}) == 40
    assert {str(s.balancer and s.balancer["kind"]) for s in drawn} == {"equal", "famo"}
    assert {(s.seed, s.gate["l0"]) for s in drawn} == {(3, 0.1)}


def test_grids_of_one_value_are_fixed() -> None:
    searched = SearchedSettings.model_validate({"dropout": {"grid": [0.3]}, "balancer": {"grid": [{"kind": "famo"}]}})
    space = searched.space(Settings(), lrs=(0.01,))
    assert space.parts == ()
    settings = space.sample(np.random.default_rng(0))
    assert (settings.lr, settings.dropout) == (0.01, 0.3)
    assert settings.balancer == {"kind": "famo", "lr": 0.025, "decay": 1e-3}


def test_a_job_that_names_settings_survives_json() -> None:
    spec = JobSpec.model_validate(job(ALL))
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    assert isinstance(spec.search, SampledSearch)
    assert spec.search.settings.model_dump(mode="json", exclude_defaults=True)["weight_decay"] == ALL["weight_decay"]


@pytest.mark.parametrize(
    ("settings", "where", "expected"),
    [
        ({"lr": {"grid": [1e-3]}}, "search.settings.lr", "a known field"),
        ({"dropout": 0.1}, "search.settings.dropout", ""),
        ({"dropout": {"grid": []}}, "search.settings.dropout.grid", ""),
        ({"dropout": {"grid": [0.1, 1.0]}}, "search.settings", "0 <= value < 1"),
        ({"dropout": {"grid": [0.1, 0.1]}}, "search.settings", "none twice"),
        ({"dropout": {"uniform": [0.0, 0.5]}}, "search.settings.dropout", ""),
        ({"dropout": {"grid": [0.1], "log_uniform": [0.1, 0.2]}}, "search.settings.dropout.grid", "a known field"),
        ({"weight_decay": {"log_uniform": [0.0, 0.1]}}, "search.settings", "0 < low < high"),
        ({"weight_decay": {"log_uniform": [0.1]}}, "search.settings.weight_decay.log_uniform", ""),
        ({"gate": {"colour": {"grid": [1.0]}}}, "settings.gate.colour", "one of"),
        ({"gate": {"temperature": {"grid": [-1.0]}}}, "settings.gate.temperature", "a number from"),
        ({"balancer": {"grid": [{"kind": "best"}]}}, "search.settings.balancer.grid[0]", ""),
        ({"balancer": {"grid": [{"kind": "equal"}, {"kind": "equal"}]}}, "search.settings", "none twice"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(settings: Any, where: str, expected: str) -> None:
    document = job(settings)
    with pytest.raises(ValidationError) as caught:
        JobSpec.model_validate(document)
    told = from_validation(caught.value.errors(), document)
    assert any(where in problem.where and expected in problem.expected for problem in told), told


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (job({"task_weights": {"c": {"grid": [1.0]}}}), "names no tasks of the job: .'c'"),
        (job({"balancer": {"grid": [{"kind": "static", "weights": {"c": 1.0}}]}}), "names no tasks of the job: .'c'"),
        (job({"gamma": {"grid": [0.1]}}, training={}), "expected training.auxiliary, found none"),
        ({**JOB, "search": {"kind": "reinforce", "settings": ALL}}, "settings"),
        ({**JOB, "search": {"kind": "snr"}, "training": {"gate": {"l0": 0.1}}}, "expected search.l0"),
        ({**JOB, "training": {"gate": {"colour": 1.0}}}, "settings.gate.colour"),
    ],
)
def test_what_could_have_no_effect_is_refused(document: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        JobSpec.model_validate(document)


def test_gate_settings_need_a_gate_of_the_space_that_has_them() -> None:
    spec = JobSpec.model_validate(job({"gate": {"temperature": {"grid": [0.5, 1.0]}}}))
    tasks = [task.to_task() for task in spec.tasks]
    check_fitness(spec.search, build("snr", tasks, {}))
    with pytest.raises(SpaceError, match="found temperature"):
        check_fitness(spec.search, build("mtnas", tasks, {}))
