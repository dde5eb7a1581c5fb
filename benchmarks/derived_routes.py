"""Does each search find more than chance does? At job defaults, on ``planted``: derived routes against random ones.

Everything is as in a job that says nothing but its data, its tasks, its space and the kind of its search: recipe,
learning rates tuned on single-task networks, steps of the search. Every search runs with ``SEARCHES`` seeds, in the
space that it was made for; rows that are there already are not measured again. What each derives, and ``RANDOM``
routes of the same space, are trained anew on ``train`` + ``search`` with one more seed; errors are on ``test``, of
the weights that were best on ``valid``. The question of every row: are derived routes better than the median random
one (one-sided one-sample t-test over the searches)?
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
from scipy import stats

import search_spaces
from benchmarks.packs import access
from benchmarks.publishing import RESULTS, publish
from mtnas.routes import Route, canonical_route
from mtnas.run import InProcessExecutor, MemoryJournal
from mtnas.run.context import Context
from mtnas.run.judging.figures import judged
from mtnas.run.packs.planned import plan
from mtnas.run.packs.progress import WHOLE
from mtnas.run.packs.train_planned import train
from mtnas.run.phases.baselines import Baselines, baselines
from mtnas.run.phases.prepare import expanded, prepare
from mtnas.run.phases.search_by_supernet import SharedSearch, search_with_shared_weights
from mtnas.run.phases.tuning import settings
from mtnas.spec import JobSpec
from mtnas.trials import Candidate, Settings, Trial

SEARCHES, RANDOM, SEED = 6, 16, 0
NUM_TASKS = 4
SPACES = {
    "reinforce": "mtnas",
    "one_shot": "mtnas",
    "darts": "mtnas",
    "gumbel": "gumbel_matrix",
    "branching": "branching",
    "adashare": "adashare",
    "automtl": "automtl",
    "snr": "snr",
    "dselect_k": "mtnas",
    "sparse_sharing": "sparse_sharing",
}
NAME = "derived_routes"


def main() -> None:
    """Measure, and write ``results/derived_routes.{json,md}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="*", default=list(SPACES), choices=list(SPACES))
    parser.add_argument("--seed", type=int, default=SEED, help="of the data and of the job")
    parser.add_argument("--searches", type=int, default=SEARCHES)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    results = RESULTS / f"{NAME}.json"
    runs: list[dict[str, Any]] = json.loads(results.read_text())["runs"] if results.exists() else []
    for kind in asked.kinds:
        cell = {"search": kind, "data seed": asked.seed, "searches": asked.searches}
        if not any(cell.items() <= run.items() for run in runs):
            runs.append(cell | measure(kind, seed=asked.seed, searches=asked.searches))
            _publish(runs)


def _publish(runs: Sequence[dict[str, Any]]) -> None:
    publish(
        NAME,
        title="Derived routes against random ones, at job defaults",
        facts={"data": f"planted, {NUM_TASKS} tasks", "random": RANDOM},
        rows=[run | {"p of all data seeds": _combined(run["search"], runs)} for run in runs],
        runs=runs,
        reading=(
            "Mean over tasks of the root mean squared error on test, lower is better. p: one-sided t-test over the "
            "searches that derived routes are better than the median random one; those of several data seeds are "
            "combined by Fisher's method. Proposals are not screened here, as a job would: it is the search alone."
        ),
    )


def _combined(search: str, runs: Sequence[dict[str, Any]]) -> float:
    return float(stats.combine_pvalues([run["p"] for run in runs if run["search"] == search]).pvalue)


def measure(kind: str, *, seed: int, searches: int, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """One row: what the searches of a kind derived, and random routes of the same space."""
    context, known = begun(kind, seed=seed, searches=searches, options=options or {})
    spec = context.spec.search
    assert not hasattr(spec, "generation")
    found = search_with_shared_weights(context, known, spec, known.num_trials, WHOLE)
    derived = [trial.candidate for trial in found.trials if trial.label == "derived"]
    rng = np.random.default_rng(seed)
    drawn = [canonical_route(context.space.graph, context.space.sample(rng)) for _ in range(RANDOM)]
    like = derived[0].settings
    routes = [*(candidate.route for candidate in derived), *drawn]
    errors = retrained(context, routes, lr=known.typical_lr, first=known.num_trials + len(found.trials), like=like)
    own, random = errors[: len(derived)], errors[len(derived) :]
    p = float(stats.ttest_1samp(own, median(random), alternative="less").pvalue) if len(own) > 1 else float("nan")
    return {
        "space": SPACES[kind],
        "derived": fmean(own),
        "median random": median(random),
        "best random": min(random),
        "p": p,
        "entropy": _entropy(found),
        "better than random, inherited": found.better_than_random,
        "candidate-steps per search": found.spent["candidate_steps"] / searches,
        "stop": str(found.stop.reason),
    }


def begun(kind: str, *, seed: int, searches: int, options: dict[str, Any]) -> tuple[Context, Baselines]:
    """A job of this kind of search after its baselines: single-task networks alone, whose learning rate it takes."""
    document = {
        "name": kind,
        "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"seed": seed}}},
        "tasks": [{"name": f"task_{n}", "kind": "regression"} for n in range(NUM_TASKS)],
        "space": {"name": SPACES[kind]},
        "search": {"kind": kind, "searches": searches, "screen": 0, **options},
        "protocol": {"level": "quick", "baselines": ["single_task"]},
        "seed": seed,
    }
    spec = expanded(JobSpec.model_validate(document), search_spaces.build)
    context = prepare(spec, access=access(), executor=InProcessExecutor(), journal=MemoryJournal(), device="cpu")
    return context, baselines(context)


def retrained(context: Context, routes: Sequence[Route], *, lr: float, first: int, like: Settings) -> list[float]:
    """Mean test error over tasks of every route, trained anew with one seed."""
    graph = context.space.graph
    told = settings(context, lr=lr, seed=1, like=like)
    wanted = [("anew", graph, Candidate(route=route, settings=told)) for route in routes]
    trials = train(
        context,
        plan(first, "retrain", wanted),
        parts=("train", "search"),
        evaluate_on=("valid", "test"),
        values=lambda evaluations: judged(context.tasks, evaluations[0].per_task),
    )
    return [_error(context, trial) for trial in trials]


def _error(context: Context, trial: Trial) -> float:
    per_task = trial.on("test").per_task
    return fmean(per_task[task.name][task.judged_by] for task in context.tasks)


def _entropy(found: SharedSearch) -> str:
    begin, end = (fmean(of_search[at] for of_search in found.entropies) for at in (0, -1))
    return f"{begin:.3g} -> {end:.3g}"


if __name__ == "__main__":
    main()
