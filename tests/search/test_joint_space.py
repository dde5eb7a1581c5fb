"""Every searcher on the joint space under a cost budget: it has answers, and all of them keep to the budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import search_spaces
from mtnas.data import DataAccess
from mtnas.routes import canonical_route
from mtnas.run import MemoryJournal
from mtnas.search import SEARCHERS
from mtnas.spaces import Constraints, SearchSpace
from mtnas.tasks import Direction, Objective
from tests.run.jobs import SMALL, run, spec_of
from tests.search.planted import clusters_score, searched
from tests.training.problem import INPUTS, TASKS
from tests.training.search_rounds import SEARCHES, SETTINGS, finished, search

GAIN = Objective(metric="mean_gain", direction=Direction.MAX)
COST = Objective(metric="num_params", direction=Direction.MIN)
OPTIONS: dict[str, Any] = {"layers": 2, "components": 3, "width": 4, "max_inputs": 2}


def budgeted() -> SearchSpace:
    """The joint space, with a limit on parameters that most of its routes break."""
    space = replace(search_spaces.build("joint", TASKS, OPTIONS), inputs=INPUTS)
    cheapest = space.cost(space.cheapest()).num_params
    return replace(space, constraints=Constraints(max_params=int(1.75 * cheapest)))


def test_the_budget_binds() -> None:
    space, rng = budgeted(), np.random.default_rng(0)
    free = replace(space, constraints=Constraints())
    assert sum(space.contains(free.sample(rng)) for _ in range(50)) < 25


@pytest.mark.parametrize("kind", SEARCHERS)
def test_sampled_searchers_ask_for_routes_within_the_budget(kind: str) -> None:
    """Thirty trials, so that those with a model propose by it."""
    space = budgeted()
    objectives = (GAIN, COST) if kind == "nsga2" else (GAIN,)
    made = SEARCHERS[kind](space=space, objectives=objectives, seed=0)
    trials = searched(made, clusters_score(space), trials=30, generation=10)
    routes = [canonical_route(space.graph, trial.candidate.route) for trial in trials]
    assert len(routes) == 30
    assert all(space.contains(route) for route in routes)
    assert len({route.text for route in routes}) > 20


@pytest.mark.parametrize("name", ["reinforce", "one_shot", "branching"])
def test_searches_over_shared_weights_propose_routes_within_the_budget(name: str) -> None:
    space = budgeted()
    made = finished(search(name, SETTINGS[:2], searches=[SEARCHES[name]] * 2, within=space))
    for proposals in made.proposals(4):
        assert proposals
        assert all(space.contains(canonical_route(space.graph, proposal.route)) for proposal in proposals)


def test_a_job_with_tpe_reports_finalists_within_the_budget(tmp_path_factory: pytest.TempPathFactory) -> None:
    joint = {"name": "joint", "options": {"layers": 1, "components": 3, "width": 4, "max_inputs": 2}}
    most = 150
    spec = spec_of(
        base=SMALL,
        space=joint,
        search={"kind": "tpe", "generation": 3, "options": {"startup": 3}},
        budget={"trials": 6},
        constraints={"max_params": most},
    )
    journal = MemoryJournal()
    report = run(spec, journal, DataAccess(cache=tmp_path_factory.mktemp("cache")))
    found = [trial for trial in journal.trials() if trial.phase == "search"]
    finalists = [row for row in report["rows"] if row["label"].startswith("finalist")]
    assert found
    assert finalists
    assert all(row["num_params"] <= most for row in finalists)
