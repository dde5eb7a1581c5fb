"""Whether the parts of a job specification agree with each other."""

from __future__ import annotations

import math
from collections.abc import Iterable

from mtnas.search.budgets.limits import SAMPLED_ONLY
from mtnas.search.specs.search_spec import SampledSearch
from mtnas.spec.job_parts import JobParts
from mtnas.tasks import TaskKind
from mtnas.training_options import EqualBalancer, StaticBalancer, needs_lone_candidate
from mtnas.trials import LATENCY


def check_agreement(spec: JobParts) -> None:
    """Refuse parts that contradict each other.

    Raises:
        ValueError: what was expected and found; pydantic tells it as a problem of the specification.
    """
    names = [task.name for task in spec.tasks]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"task names must differ, found {doubled} more than once")
    known = {"mean_gain", "worst_gain", "num_params", "macs", LATENCY}
    for task in spec.tasks:
        known.add(f"{task.name}.{task.to_task().judged_by}")
    for objective in spec.objectives:
        if objective.metric not in known:
            raise ValueError(f"unknown objective {objective.metric!r}; known are {sorted(known)}")
    others = sorted(task.name for task in spec.tasks if task.kind is not TaskKind.BINARY)
    metrics = [objective.metric for objective in spec.objectives]
    if len(set(metrics)) != len(metrics):
        raise ValueError(f"objectives must differ, found {metrics}")
    unjudged = [name for name in SAMPLED_ONLY if getattr(spec.budget, name) is not None]
    if unjudged and not isinstance(spec.search, SampledSearch):
        raise ValueError(
            f"budget.{unjudged[0]} needs a search by trials, and {spec.search.kind!r} has values only at its end"
        )
    if spec.asks_latency and not isinstance(spec.search, SampledSearch):
        raise ValueError(
            f"{LATENCY} is measured on trained routes: expected a search by trials, found {spec.search.kind!r}"
        )
    if "esmm" in spec.protocol.named_baselines and others:
        raise ValueError(f"baseline 'esmm' multiplies probabilities, and these tasks are not binary: {others}")
    if spec.training.batches == "per_task" and spec.needs_rows_of_all_tasks:
        raise ValueError("training.batches 'per_task' goes with neither training.alignment nor baseline 'esmm'")
    if needs_lone_candidate(spec.training.balancer) and getattr(spec.search, "num_searches", 1) > 1:
        kind = spec.training.balancer.kind
        raise ValueError(
            f"balancer {kind!r} needs full Jacobians, so one search at a time: search.searches and search.vary"
        )
    _check_base(spec)
    least, epochs = spec.least_epochs, spec.training.epochs
    halving = getattr(spec.search, "halving", None)
    if halving is not None and epochs != "auto" and epochs < least:
        raise ValueError(
            f"halving judges nobody before search.halving.min_epochs, and for the last time after a "
            f"{halving.reduction}th of training.epochs: expected at least {least:g} epochs, "
            f"found {epochs}"
        )
    if isinstance(spec.training.balancer, StaticBalancer):
        _check_names(spec, "training.balancer.weights", spec.training.balancer.weights)
    _check_settings(spec)
    if any(lr <= 0 or not math.isfinite(lr) for lr in spec.training.lr_grid):
        raise ValueError(f"learning rates must be positive, found {spec.training.lr_grid}")
    if any(decay < 0 or not math.isfinite(decay) for decay in spec.training.decay_grid):
        raise ValueError(f"weight decays must not be negative, found {spec.training.decay_grid}")
    for name, grid in (("lr", spec.training.lr_grid), ("weight_decay", spec.training.decay_grid)):
        if len(set(grid)) != len(grid):
            raise ValueError(f"training.{name}: values to try must differ, found {list(grid)}")


def _check_settings(spec: JobParts) -> None:
    """Refuse settings of candidates that could have no effect, or are said twice."""
    if isinstance(spec.search, SampledSearch):
        searched = spec.search.settings
        _check_names(spec, "search.settings.task_weights", searched.task_weights)
        for balancer in () if searched.balancer is None else searched.balancer.grid:
            if isinstance(balancer, StaticBalancer):
                _check_names(spec, "search.settings.balancer: weights", balancer.weights)
        if searched.gamma is not None and spec.training.auxiliary is None:
            raise ValueError("search.settings.gamma weighs small towers: expected training.auxiliary, found none")
        return
    doubled = sorted(set(spec.search.gate) & set(spec.training.gate))
    if doubled:
        raise ValueError(
            f"search {spec.search.kind!r} sets its gates itself: expected search.{doubled[0]}, "
            f"found training.gate.{doubled[0]}"
        )


def _check_names(spec: JobParts, where: str, names: Iterable[str]) -> None:
    strangers = sorted(set(names) - {task.name for task in spec.tasks})
    if strangers:
        raise ValueError(f"{where} names no tasks of the job: {strangers}")


def _check_base(spec: JobParts) -> None:
    """Tasks are added by trials that start from trained weights."""
    if spec.base is None:
        return
    names, old = tuple(task.name for task in spec.tasks), spec.base.tasks
    if names[: len(old)] != old or len(names) == len(old):
        raise ValueError(f"expected the tasks {list(old)} of the base and then new ones, found {list(names)}")
    if not isinstance(spec.search, SampledSearch):
        raise ValueError(f"a task is added by a search by trials, and {spec.search.kind!r} is none")
    if spec.training.alignment is not None:
        raise ValueError("training.alignment needs one encoder, and an added task has one of its own")
    searched = spec.search.settings.balancer
    for balancer in (spec.training.balancer, *(() if searched is None else searched.grid)):
        if not isinstance(balancer, EqualBalancer | StaticBalancer):
            kind = balancer.kind
            raise ValueError(f"balancer {kind!r} compares losses or gradients, and frozen tasks learn nothing")
