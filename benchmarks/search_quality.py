"""How good a route each search has found after how much training: equal budgets, five seeds.

The budget is counted in trainings of one candidate. Sampled searches train candidates and hold the best so far by its
error on ``search``; searches over shared weights may spend as many candidate-steps on one supernet, all passes through
it counted (``mtnas.search.budgets.passes``), and their derived route is what they hold. Every route held at a mark is
trained anew with two seeds on ``train`` + ``search``, and measured on ``test`` with the weights chosen on ``valid``;
that training is not counted, for anyone.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Any

import altair
import torch

import search_spaces
from benchmarks.packs import Trained, access, train_pack
from benchmarks.publishing import interval, publish
from mtnas.data import EncodedData, load
from mtnas.data.catalogue import CATALOGUE
from mtnas.routes import Route, canonical_route, shape_graph
from mtnas.search import SettingsSpace, build
from mtnas.search.budgets.foreseen import most_steps, passes_of_proposals, passes_of_steps
from mtnas.search.budgets.passes import PassRows
from mtnas.search.specs.gradient_specs import BranchingSearch
from mtnas.search.specs.supernet_specs import OneShotSearch, ReinforceSearch, SharedWeightsSearch
from mtnas.spaces import SearchSpace
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Direction, Metric, Objective, Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.measuring.evaluate import of_candidate
from mtnas.training.recipe import Recipe
from mtnas.training.searches.make_search import make_search
from mtnas.training.searches.shared_supernet import Ground
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Candidate, Settings, Trial, TrialState

MARKS = (4, 8, 16)
GENERATION = 4
SAMPLED: dict[str, dict[str, int]] = {
    "random": {},
    "evolution": {"population": 8, "tournament": 3},
    "tpe": {"startup": 4},
}
SHARED: dict[str, SharedWeightsSearch] = {
    "one-shot": OneShotSearch(evaluations=64),
    "reinforce": ReinforceSearch(),
    "gradient (branching)": BranchingSearch(lr=0.05, cost=0.0, architecture_every=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A data set with its tasks and how candidates are trained on it."""

    options: dict[str, Any]
    max_rows: int | None = None
    tasks: tuple[Task, ...]
    width: int
    recipe: Recipe
    lr: float


PROBLEMS = {
    "planted": Problem(
        options={"num_tasks": 6, "clusters": 2, "rows": 12_000},
        tasks=tuple(Task(name=f"task_{i}", kind=TaskKind.REGRESSION, label=f"task_{i}", tower=()) for i in range(6)),
        width=4,
        recipe=Recipe(batch_size=256, epochs=4),
        lr=2e-2,
    ),
    "flights": Problem(
        options={},
        max_rows=20_000,
        tasks=CATALOGUE["flights"].tasks(CATALOGUE["flights"].check_options({})),
        width=16,
        recipe=Recipe(batch_size=512, epochs=4),
        lr=5e-3,
    ),
}


def main() -> None:
    """Measure, and write ``results/search_quality.{json,md,svg}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    for name in PROBLEMS:
        load_problem(name)
    with ProcessPoolExecutor(asked.processes) as pool:
        runs = [
            pool.submit(measure, problem, method, seed)
            for problem in PROBLEMS
            for method in (*SAMPLED, *SHARED)
            for seed in range(asked.seeds)
        ]
        found = [row for run in runs for row in run.result()]
    rows = [summary(problem, method, found) for problem in PROBLEMS for method in (*SAMPLED, *SHARED)]
    publish(
        "search_quality",
        title="Search quality at equal budgets",
        reading=(
            "Mean test error (root mean squared error on planted, 1 - AUC on flights, means over tasks) of the route "
            "held after so many trainings, with 95 % intervals over seeds; lower is better."
        ),
        facts={"seeds": asked.seeds, "marks": list(MARKS), "generation": GENERATION, "options": SAMPLED},
        rows=rows,
        runs=found,
        chart=plot(found),
        device=f"cpu, {asked.processes} processes of one thread",
    )


def load_problem(name: str) -> EncodedData:
    """The rows, from the cache once they are in it."""
    problem = PROBLEMS[name]
    source = CatalogueSource(name=name, options=problem.options)
    return load(DataSpec(source=source, max_rows=problem.max_rows), problem.tasks, access=access())


def measure(name: str, method: str, seed: int) -> list[dict[str, Any]]:
    """The curve of one search."""
    torch.set_num_threads(1)
    problem, data = PROBLEMS[name], load_problem(name)
    built = search_spaces.build("mtnas", problem.tasks, {"layers": 2, "subnets": 3, "width": problem.width})
    space = replace(built, inputs=data.inputs)
    settings = Settings(lr=problem.lr, seed=seed, data_seed=seed)
    if method in SAMPLED:
        held = sampled(method, problem, space, data, settings)
    else:
        held = {mark: shared(SHARED[method], problem, space, data, settings, mark) for mark in MARKS}
    errors = {route.text: error_of(problem, space, data, route) for route in held.values()}
    return [
        {"problem": name, "method": method, "seed": seed, "trainings": mark, "error": errors[route.text]}
        for mark, route in held.items()
    ]


def sampled(kind: str, problem: Problem, space: SearchSpace, data: EncodedData, settings: Settings) -> dict[int, Route]:
    """The best route by its error on ``search`` at every mark."""
    searcher = build(
        kind,
        SAMPLED[kind],
        space=space,
        objectives=(Objective(metric="error", direction=Direction.MIN),),
        settings=SettingsSpace(fixed=settings),
        seed=settings.seed,
    )
    resident = ResidentData.of(data, torch.device("cpu"))
    trials: list[Trial] = []
    held: dict[int, Route] = {}
    while len(trials) < MARKS[-1]:
        for candidate in searcher.ask(trials, GENERATION):
            error = alone(problem, space, data, resident, candidate)
            trials.append(
                Trial(
                    number=len(trials),
                    phase="search",
                    label=kind,
                    candidate=candidate,
                    state=TrialState.COMPLETE,
                    values={"error": error},
                )
            )
            if len(trials) in MARKS:
                held[len(trials)] = min(trials, key=lambda trial: trial.values["error"]).candidate.route
    return held


def alone(
    problem: Problem, space: SearchSpace, data: EncodedData, resident: ResidentData, candidate: Candidate
) -> float:
    """Train on ``train`` as a search does; the error on ``search``."""
    trainer = PackTrainer(
        graph=shape_graph(space.graph, candidate.route),
        inputs=data.inputs,
        routes=[candidate.route],
        settings=[candidate.settings],
        tasks=problem.tasks,
        data=resident,
        recipe=problem.recipe,
        parts=("train",),
    )
    for _ in trainer.run():
        pass
    return mean_error(problem, of_candidate(trainer.evaluate("search"), 0))


def shared(
    spec: SharedWeightsSearch,
    problem: Problem,
    space: SearchSpace,
    data: EncodedData,
    settings: Settings,
    trainings: int,
) -> Route:
    """The derived route of a supernet that was charged no more than the steps of so many trainings."""
    recipe = replace(problem.recipe, epochs=problem.recipe.epochs * trainings)
    whole = recipe.epochs * (len(data.parts["train"]) // recipe.batch_size)
    searcher = make_search(
        Ground(
            space=space,
            inputs=data.inputs,
            settings=[settings],
            tasks=problem.tasks,
            data=ResidentData.of(data, torch.device("cpu")),
            recipe=recipe,
            most_steps=most_steps(partial(charge, spec, problem, data), whole, least=1, whole=whole),
        ),
        [spec],
    )
    for _ in searcher.run():
        pass
    return canonical_route(space.graph, searcher.proposals(0)[0][0].route)


def charge(spec: SharedWeightsSearch, problem: Problem, data: EncodedData, steps: int) -> float:
    """Candidate-steps of a search that takes so many steps of its weights and proposes its derived route."""
    held_out = len(data.parts["search"])
    rows = PassRows(
        step=problem.recipe.batch_size,
        evaluation=held_out,
        labelled=held_out,
        num_tasks=len(problem.tasks),
        own_rows=False,
    )
    passes = passes_of_steps(spec, rows, first=0, steps=steps) + passes_of_proposals(spec, rows, num_samples=0)
    return passes.candidate_steps(rows.step)


def error_of(problem: Problem, space: SearchSpace, data: EncodedData, route: Route) -> float:
    """Test error of the route trained anew, mean over two seeds that no search has."""
    settings = [Settings(lr=problem.lr, seed=1000 + n, data_seed=1000 + n) for n in range(2)]
    shape = shape_graph(space.graph, route)
    trained: Sequence[Trained] = train_pack(data, problem.tasks, shape, [route] * 2, settings, problem.recipe)
    return fmean(mean_error(problem, one.test) for one in trained)


def mean_error(problem: Problem, per_task: dict[str, dict[str, float]]) -> float:
    """Mean over tasks of the judged metric, turned so that lower is better."""
    values = [(task, per_task[task.name][task.judged_by]) for task in problem.tasks]
    return fmean(value if task.judged_by is Metric.RMSE else 1 - value for task, value in values)


def summary(problem: str, method: str, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row: mean and interval at every mark."""
    row: dict[str, Any] = {"problem": problem, "search": method}
    for mark in MARKS:
        wanted = (problem, method, mark)
        values = [run["error"] for run in found if (run["problem"], run["method"], run["trainings"]) == wanted]
        middle, low, high = interval(values)
        row[f"{mark} trainings"] = f"{middle:.4f} ({low:.4f} to {high:.4f})"
    return row


def plot(found: Sequence[dict[str, Any]]) -> altair.FacetChart:
    """Means over seeds against the budget."""
    base = altair.Chart(altair.Data(values=list(found))).encode(
        x=altair.X("trainings:Q", scale=altair.Scale(type="log", base=2), axis=altair.Axis(values=list(MARKS))),
        y=altair.Y("mean(error):Q", scale=altair.Scale(zero=False), title="mean test error"),
        color=altair.Color("method:N", title=None),
    )
    layered = base.mark_line(point=True)
    return layered.facet(column=altair.Column("problem:N", title=None)).resolve_scale(y="independent")


if __name__ == "__main__":
    main()
