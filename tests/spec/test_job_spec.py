"""The job specification: defaults, round trips, and refusals that name the place."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mtnas.errors import SpecError
from mtnas.problems import from_validation
from mtnas.routes import NAMED_ROUTES
from mtnas.spec import BASELINES, JobSpec, ReinforceSearch, SampledSearch
from mtnas.tasks import Direction, Metric, TaskKind

LEAST: dict[str, Any] = {
    "name": "job",
    "data": {"source": {"kind": "catalogue", "name": "planted"}},
    "tasks": [{"name": "a", "kind": "binary"}],
}
FULL: dict[str, Any] = {
    "version": 1,
    "name": "flights-three-tasks",
    "data": {
        "source": {"kind": "file", "paths": ["a.csv", "b.csv"]},
        "features": [
            {"column": "age", "kind": "numeric"},
            {"column": "tags", "kind": "multi_valued", "separator": "|"},
        ],
        "split": {"kind": "ratio"},
    },
    "tasks": [
        {"name": "late", "kind": "binary", "label": "dep_late", "metric": "auc", "weight": 0.5, "tower": [16, 8]},
        {"name": "stars", "kind": "multiclass", "num_classes": 5},
    ],
    "space": {"name": "mtnas", "options": {"layers": 2, "subnets": 4, "width": 64}},
    "search": {"kind": "random", "generation": 8},
    "training": {"batch_size": 256, "epochs": 2, "lr": {"grid": [0.001, 0.002]}, "precision": "float32"},
    "objectives": [
        {"metric": "late.auc", "direction": "max"},
        {"metric": "stars.accuracy", "direction": "max"},
        {"metric": "macs", "direction": "min"},
    ],
    "constraints": {"max_params": 100000, "max_in_degree": 2},
    "protocol": {"level": "standard", "baselines": ["mmoe"], "seeds": 3},
    "budget": {"trials": 10, "deadline_s": 60.5},
    "resources": {"device": "cpu", "max_packs": 1},
    "export": {"top": 2},
    "seed": 7,
}


def with_change(path: str, value: Any) -> dict[str, Any]:
    """``LEAST`` with one field set, by a path such as ``tasks.0.weight``."""
    spec = yaml.safe_load(yaml.safe_dump(LEAST))
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    node = spec
    for step in parents:
        node = node[step] if isinstance(step, int) else node.setdefault(step, {})
    node[last] = value
    return spec


def problems(document: Any) -> tuple[SpecError, ...]:
    """What validation finds wrong, as users are told."""
    with pytest.raises(ValidationError) as caught:
        JobSpec.model_validate(document)
    return from_validation(caught.value.errors(), document)


def test_everything_has_a_default_but_name_data_and_tasks() -> None:
    spec = JobSpec.model_validate(LEAST)
    assert isinstance(spec.search, ReinforceSearch)
    assert (spec.version, spec.seed, spec.space.name, spec.protocol.level) == (1, 0, "mtnas", "quick")
    assert [(o.metric, o.direction) for o in spec.objectives] == [("mean_gain", Direction.MAX)]
    task = spec.tasks[0].to_task()
    assert (task.label, task.judged_by, task.weight, task.num_outputs) == ("a", Metric.AUC, 1.0, 1)


@pytest.mark.parametrize("missing", ["name", "data", "tasks"])
def test_missing_part_is_named(missing: str) -> None:
    (problem,) = problems({key: value for key, value in LEAST.items() if key != missing})
    assert (problem.where, problem.expected, problem.found) == (missing, "a value", "nothing")


@pytest.mark.parametrize("document", [LEAST, FULL])
def test_spec_survives_json_and_yaml(document: dict[str, Any]) -> None:
    spec = JobSpec.model_validate(document)
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    plain = spec.model_dump(mode="json")
    assert JobSpec.model_validate(plain) == spec
    assert JobSpec.model_validate(yaml.safe_load(yaml.safe_dump(plain))) == spec
    assert JobSpec.model_validate(plain).model_dump(mode="json") == plain


def test_full_example_is_read_as_written() -> None:
    spec = JobSpec.model_validate(FULL)
    assert spec.search == SampledSearch(kind="random", generation=8)
    assert spec.training.lr_grid == (0.001, 0.002)
    assert spec.tasks[0].to_task().tower == (16, 8)
    assert spec.tasks[1].to_task().kind is TaskKind.MULTICLASS
    assert spec.protocol.named_baselines == ("mmoe",)
    assert spec.protocol.num_seeds == 3


@given(
    weight=st.floats(1e-3, 1e3),
    tower=st.lists(st.integers(1, 512), max_size=3),
    lr=st.floats(1e-6, 1.0)
    | st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=4, unique=True).map(lambda grid: {"grid": grid}),
    seed=st.integers(0, 2**31 - 1),
    dropout=st.floats(0, 0.99),
)
@settings(max_examples=50, deadline=None)
def test_any_legal_numbers_survive_json(weight: float, tower: list[int], lr: Any, seed: int, dropout: float) -> None:
    document = LEAST | {
        "tasks": [{"name": "a", "kind": "regression", "weight": weight, "tower": tower}],
        "training": {"lr": lr, "dropout": dropout},
        "seed": seed,
    }
    spec = JobSpec.model_validate(document)
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    assert spec.tasks[0].weight == weight
    assert spec.seed == seed


@pytest.mark.parametrize(
    "path",
    [
        "sapce",
        "data.sorce",
        "data.source.pats",
        "tasks.0.labl",
        "space.layers",
        "training.batchsize",
        "protocol.baseline",
        "budget.trial",
        "resources.gpu",
        "export.format",
        "constraints.max_param",
    ],
)
def test_unknown_field_is_refused_with_its_place(path: str) -> None:
    (problem,) = problems(with_change(path, 1))
    assert problem.where == path.replace(".0", "[0]")
    assert problem.expected == "a known field"
    assert problem.found == f"field '{path.rsplit('.', 1)[-1]}'"


def test_unknown_field_of_a_chosen_kind_is_refused_with_its_place() -> None:
    (problem,) = problems(LEAST | {"search": {"kind": "reinforce", "population": 3}})
    assert (problem.where, problem.expected) == ("search.population", "a known field")


def test_choice_without_its_kind_is_told_what_is_missing() -> None:
    (problem,) = problems(LEAST | {"search": {"generation": 4}})
    assert (problem.where, problem.expected) == ("search", "a field 'kind'")


@pytest.mark.parametrize(
    ("path", "value", "where", "expected"),
    [
        ("version", 2, "version", "1"),
        ("name", "", "name", "at least 1 character"),
        ("name", "x" * 201, "name", "at most 200 characters"),
        ("tasks", [], "tasks", "at least 1 item"),
        ("tasks.0.kind", "ranking", "tasks[0].kind", "'binary', 'multiclass' or 'regression'"),
        ("tasks.0.weight", 0, "tasks[0], task 'a'", "a positive weight"),
        ("tasks.0.weight", float("nan"), "tasks[0].weight", "finite number"),
        ("tasks.0.weight", "heavy", "tasks[0].weight", "valid number"),
        ("tasks.0.metric", "rmse", "tasks[0], task 'a'", "as metric of a binary task"),
        ("tasks.0.num_classes", 4, "tasks[0], task 'a'", "num_classes > 1 for a multiclass task"),
        ("tasks.0.name", "a b", "tasks[0], tasks", "an identifier"),
        ("tasks.0.tower", [8, -1], "tasks[0], task 'a'", "tower widths of at least 1"),
        ("seed", -1, "seed", "greater than or equal to 0"),
        ("seed", 2**31, "seed", "less than"),
        ("seed", 1.5, "seed", "valid integer"),
        ("training.batch_size", 1, "training.batch_size", "greater than or equal to 2"),
        ("training.dropout", 1.0, "training.dropout", "less than 1"),
        ("training.schedule", "cosine", "training.schedule", "'one_cycle', 'flat_cosine' or 'constant'"),
        ("training.lr", "fast", "training.lr", "valid number"),
        ("training.lr", -0.1, "request", "learning rates must be positive"),
        ("training.balancer", {"kind": "magic"}, "training.balancer", "'equal'"),
        ("search", {"kind": "magic"}, "search", "'reinforce'"),
        ("search", {"kind": "reinforce", "routes_per_step": 3}, "search.routes_per_step", "greater than or equal to 4"),
        ("data.source", {"kind": "url", "name": "x"}, "data.source", "'catalogue'"),
        ("constraints.max_params", 0, "constraints.max_params", "greater than or equal to 1"),
        ("budget.deadline_s", 0, "budget.deadline_s", "greater than 0"),
        ("resources.device", "tpu", "resources.device", "'auto', 'cpu' or 'cuda'"),
        ("export.formats", ["tflite"], "export.formats[0]", "'module', 'pt2' or 'onnx'"),
        ("protocol.level", "slow", "protocol.level", "'quick', 'standard' or 'headline'"),
        ("protocol.baselines", ["moe"], "protocol", "unknown baselines ['moe']"),
        ("protocol.baselines", ["mmoe", "mmoe"], "protocol", "baselines must differ"),
        ("objectives", [{"metric": "b.auc", "direction": "max"}], "request", "unknown objective 'b.auc'"),
        ("objectives", [{"metric": "macs", "direction": "min"}] * 2, "request", "objectives must differ"),
        ("objectives", [{"metric": "macs", "direction": "up"}], "objectives[0].direction", "'max' or 'min'"),
    ],
)
def test_bad_value_is_refused_with_its_place(path: str, value: Any, where: str, expected: str) -> None:
    found = problems(with_change(path, value))
    assert [problem.where for problem in found] == [where]
    assert expected in found[0].expected


def test_both_ways_out_of_a_wrong_learning_rate_are_told() -> None:
    found = problems(with_change("training.lr", {}))
    assert [(p.where, p.expected) for p in found] == [
        ("training.lr", "a valid number"),
        ("training.lr.grid", "a value"),
    ]


def test_all_faults_are_told_at_once() -> None:
    document = with_change("training.batch_size", 0) | {"seed": -1}
    document["tasks"][0]["kind"] = "ranking"
    assert {p.where for p in problems(document)} == {"training.batch_size", "seed", "tasks[0].kind"}


def test_tasks_of_one_name_are_refused() -> None:
    document = LEAST | {"tasks": [LEAST["tasks"][0]] * 2}
    (problem,) = problems(document)
    assert "task names must differ, found ['a'] more than once" in problem.expected


def test_objective_may_be_a_tasks_own_metric_only() -> None:
    named = LEAST | {"tasks": [{"name": "a", "kind": "binary", "metric": "log_loss"}]}
    JobSpec.model_validate(named | {"objectives": [{"metric": "a.log_loss", "direction": "min"}]})
    (problem,) = problems(named | {"objectives": [{"metric": "a.auc", "direction": "max"}]})
    assert "unknown objective 'a.auc'" in problem.expected


@pytest.mark.parametrize(("level", "seeds"), [("quick", 2), ("standard", 5), ("headline", 10)])
def test_level_decides_seeds_and_baselines(level: str, seeds: int) -> None:
    protocol = JobSpec.model_validate(LEAST | {"protocol": {"level": level}}).protocol
    assert protocol.num_seeds == seeds
    assert set(protocol.named_baselines) <= set(BASELINES) == {*NAMED_ROUTES, "partitions", "task_groups"}
    assert (len(protocol.named_baselines) == 3) == (level == "quick")


def test_spec_cannot_change_after_validation() -> None:
    spec = JobSpec.model_validate(LEAST)
    with pytest.raises(ValidationError):
        spec.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize("document", [None, [], "job", 3, {"tasks": None}, {"data": []}])
def test_what_is_no_spec_is_refused(document: Any) -> None:
    assert problems(document)
