"""What the route, the ensemble and models of one task bring: each against what it is built on, on ``test``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GainsOf = Mapping[int, Mapping[str, float]]


def brought(stages: Mapping[str, GainsOf], tasks: list[str]) -> dict[str, Any]:
    """Mean gains over single-task training, stage by stage, and the differences of neighbours.

    Args:
        stages: from the plainest to the answer, gains by seed of single-task training: ``hand_made`` (the best
            baseline network, chosen on ``valid``), ``route`` (the searched one), ``seeds`` (its seeds averaged),
            ``networks`` (the ensemble of networks), ``answer`` (the ensemble with whatever else is in it),
            ``unsearched`` (the ensemble that there would be without the search).
        tasks: names of the tasks.
    """
    names = ("mean_gain", *tasks)
    means = {label: {name: _mean(gains, name) for name in names} for label, gains in stages.items()}
    pairs = {
        "route": ("route", "hand_made"),
        "averaging": ("seeds", "route"),
        "selection": ("networks", "seeds"),
        "task_models": ("answer", "networks"),
        "ensemble": ("answer", "route"),
        "search": ("answer", "unsearched"),
    }
    steps = {
        label: {name: _less(means[after][name], means[before][name]) for name in names}
        for label, (after, before) in pairs.items()
        if after in means and before in means
    }
    return {"stages": means, "brought": steps}


def _mean(gains: GainsOf, name: str) -> float | None:
    values = [of_seed[name] for of_seed in gains.values()]
    mean = sum(values) / len(values) if values else None
    return None if mean is None or mean != mean else mean


def _less(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before
