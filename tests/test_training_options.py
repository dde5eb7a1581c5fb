"""Options for training tasks together in a job's specification."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mtnas.spec import JobSpec
from mtnas.training_options import EqualBalancer, GradDropBalancer, needs_lone_candidate

SPEC: dict[str, Any] = {
    "name": "options",
    "data": {"source": {"kind": "catalogue", "name": "planted"}},
    "tasks": [{"name": "a", "kind": "binary"}, {"name": "b", "kind": "binary"}],
}


def spec(training: dict[str, Any], **more: Any) -> JobSpec:
    return JobSpec.model_validate(SPEC | {"training": training} | more)


def test_equal_weights_and_nothing_else_are_the_default() -> None:
    training = spec({}).training
    assert training.balancer == EqualBalancer()
    assert (training.auxiliary, training.alignment, training.reweighting) == (None, None, None)


def test_options_survive_json() -> None:
    options = {
        "balancer": {"kind": "cagrad", "c": 0.3},
        "auxiliary": {"gamma": 0.5, "shape": "pooled", "size": 8},
        "alignment": {"share": 0.25},
        "reweighting": {"kind": "svd", "rank": 2, "rows": 100},
    }
    made = spec(options)
    assert JobSpec.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("training", "where"),
    [
        ({"balancer": {"kind": "nothing"}}, "nothing"),
        ({"balancer": {"kind": "famo", "lr": -1}}, "lr"),
        ({"balancer": {"kind": "equal", "lr": 1}}, "lr"),
        ({"balancer": {"kind": "static", "weights": {"stranger": 2}}}, "stranger"),
        ({"auxiliary": {"gamma": -0.1}}, "gamma"),
        ({"auxiliary": {"shape": "wide"}}, "shape"),
        ({"alignment": {"share": 1.0}}, "share"),
        ({"reweighting": {"kind": "svd", "rank": 0}}, "rank"),
    ],
)
def test_options_that_cannot_work_are_refused_by_name(training: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError, match=where):
        spec(training)


def test_full_jacobians_allow_one_search_at_a_time() -> None:
    assert needs_lone_candidate(GradDropBalancer())
    with pytest.raises(ValidationError, match="searches"):
        spec({"balancer": {"kind": "graddrop"}}, search={"kind": "reinforce", "searches": 2})
