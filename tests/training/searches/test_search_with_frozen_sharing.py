"""Evolution for a task added to a trained system: what is frozen stays, clones begin as what they are cloned from."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.routes import NAMED_ROUTES, Route, RouteGraph, Tower, canonical_route, cost, route_digest, shape_graph
from mtnas.routes.building.extend import with_tasks
from mtnas.routes.reach import task_path
from mtnas.routes.schemes.by_name import Size
from mtnas.search import SEARCHERS, Choice, SettingsSpace, build
from mtnas.search.mutation import clone_slot
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection, Supernet, freeze, freeze_part
from mtnas.tasks import Direction, Objective
from mtnas.training.recipe import Recipe
from mtnas.training.trained_network import Trained
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Candidate, Settings, Trial, TrialState
from tests.supernets.batches import random_features
from tests.training.together import INPUTS, TASKS, rows

OBJECTIVES = (
    Objective(metric="kind.accuracy", direction=Direction.MAX),
    Objective(metric="num_params", direction=Direction.MIN),
)
SETTINGS = SettingsSpace(
    fixed=Settings(lr=0.02, weight_decay=0.1, dropout=0.1), parts=(Choice(name="lr", values=(0.01, 0.02)),)
)
RECIPE = Recipe(batch_size=32, epochs=2, precision="float64")
NEW = Tower(task="kind", reads="", hidden=(4,), outputs=3)
BATCH = random_features(INPUTS, rows=12, seed=1)


def trainer(graph: RouteGraph, candidates: list[Candidate], trained: Trained | None) -> PackTrainer:
    """An untrained pack of candidates of one shape."""
    data, num_tasks = rows(), len(graph.tasks)
    return PackTrainer(
        graph=shape_graph(graph, candidates[0].route),
        inputs=INPUTS,
        routes=[candidate.route for candidate in candidates],
        settings=[candidate.settings for candidate in candidates],
        tasks=TASKS[:num_tasks],
        data=replace(data, labels=data.labels[:, :num_tasks]),
        recipe=RECIPE,
        parts=("train",),
        trained=trained,
    )


@cache
def old_system() -> tuple[RouteGraph, Route, Trained]:
    """Two tasks that share everything, after some steps."""
    towers = [Tower(task=task.name, reads="", hidden=(4,), outputs=task.num_outputs) for task in TASKS[:2]]
    named = NAMED_ROUTES["full_sharing"](towers, Size(layers=2, experts=2, width=6))
    pack = trainer(named.graph, [Candidate(route=named.route, settings=SETTINGS.fixed)], None)
    for _ in pack.run():
        pass
    return named.graph, named.route, Trained.of(freeze(pack.net, named.route))


@cache
def grown_space() -> SearchSpace:
    """Where the routes of the added task are searched."""
    graph, route, _ = old_system()
    return SearchSpace(name="grown", graph=with_tasks(graph, route, [NEW]), inputs=INPUTS)


def slot_weights(net: Supernet, name: str) -> list[Tensor]:
    """One slot's parameters, of the first candidate."""
    for group, bank in net.slot_banks():
        for slot, index in zip(group.slots, group.instances, strict=True):
            if slot.name == name:
                return [parameter[0, index].detach().clone() for parameter in bank.parameters()]
    raise AssertionError(name)


def finished(number: int, candidate: Candidate, pack: PackTrainer) -> Trial:
    """The trial of a trained candidate."""
    space = grown_space()
    accuracy = float(pack.best_metrics(("valid",))["valid"]["kind"]["accuracy"][0])
    size = float(cost(space.graph, candidate.route, INPUTS).num_params)
    return Trial(
        number=number,
        phase="search",
        label="search",
        candidate=candidate,
        state=TrialState.COMPLETE,
        graph_digest=space.graph.digest,
        route_digest=route_digest(space.graph, candidate.route),
        values={"kind.accuracy": accuracy, "num_params": size},
    )


@pytest.mark.parametrize("kind", SEARCHERS)
def test_a_search_for_a_new_task_leaves_all_that_is_frozen_alone(kind: str) -> None:
    (graph, route, trained), space = old_system(), grown_space()
    system = trained.network(INPUTS)
    old_outputs = system(BATCH, Selection.from_routes(system.graph, [[route]], dtype=torch.float64))
    options = {"population": 4, "tournament": 2} if kind == "evolution" else {}
    searcher = build(kind, options, space=space, objectives=OBJECTIVES, settings=SETTINGS, seed=1)
    trials: list[Trial] = []
    for _ in range(4):
        for candidate in searcher.ask(trials, 4):
            pack = trainer(space.graph, [candidate], trained)
            held = {name: p.detach().clone() for name, p in pack.net.named_parameters() if not p.requires_grad}
            for _ in pack.run():
                pass
            after = dict(pack.net.named_parameters())
            assert held
            assert all(torch.equal(before, after[name]) for name, before in held.items())
            assert Trained.of(freeze_part(pack.net, graph, route)).weights == trained.weights
            found = pack.net(BATCH, pack.selection)
            for before, now in zip(old_outputs, found[:2], strict=True):
                torch.testing.assert_close(now, before, rtol=0, atol=1e-12)
            trials.append(finished(len(trials), candidate, pack))
    assert len({trial.route_digest for trial in trials}) > 8
    assert len({trial.values["num_params"] for trial in trials}) > 4


def test_a_cloned_slot_starts_from_its_original_and_then_differs() -> None:
    _, _, trained = old_system()
    space, rng = grown_space(), np.random.default_rng(0)
    parent = next(route for route in _routes(space, rng) if _reads_only_frozen(space, route))
    child = next(route for _ in range(200) if (route := clone_slot(space, parent, rng)) is not None)
    child = canonical_route(space.graph, child)
    slots = space.graph.slot_of()
    (name,) = (s for s in task_path(space.graph, child, "kind").slots if slots[s].starts_from is not None)
    original = slots[name].starts_from
    assert original is not None
    assert original not in child.mix_of()["to.kind"].inputs
    assert not slots[name].frozen
    pack = trainer(space.graph, [Candidate(route=child, settings=SETTINGS.fixed)], trained)
    begun, source = slot_weights(pack.net, name), slot_weights(pack.net, original)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(begun, source, strict=True))
    for _ in pack.run():
        pass
    assert all(torch.equal(a, b) for a, b in zip(slot_weights(pack.net, original), source, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(slot_weights(pack.net, name), begun, strict=True))


def test_evolution_finds_clones_of_what_its_parents_read() -> None:
    """The clone's children are among the proposals, and every proposal holds the old tasks' part as it is."""
    _, route, _ = old_system()
    space = grown_space()
    searcher = build("evolution", {"population": 4}, space=space, objectives=OBJECTIVES, settings=SETTINGS, seed=0)
    trials: list[Trial] = []
    for _ in range(12):
        for candidate in searcher.ask(trials, 4):
            trial = Trial(
                number=len(trials),
                phase="search",
                label="search",
                candidate=candidate,
                state=TrialState.COMPLETE,
                graph_digest=space.graph.digest,
                route_digest=route_digest(space.graph, candidate.route),
                values={"kind.accuracy": _clones(space, candidate.route), "num_params": 1.0},
            )
            trials.append(trial)
    for trial in trials:
        assert dict(route.mixes).items() <= trial.candidate.route.mix_of().items()
    first = [_clones(space, trial.candidate.route) for trial in trials[:8]]
    last = [_clones(space, trial.candidate.route) for trial in trials[-8:]]
    assert np.mean(last) > np.mean(first)


def _clones(space: SearchSpace, route: Route) -> int:
    slots = space.graph.slot_of()
    return sum(slots[name].starts_from is not None for name in task_path(space.graph, route, "kind").slots)


def _routes(space: SearchSpace, rng: np.random.Generator) -> list[Route]:
    return [canonical_route(space.graph, space.sample(rng)) for _ in range(400)]


def _reads_only_frozen(space: SearchSpace, route: Route) -> bool:
    slots = space.graph.slot_of()
    return all(slots[name].frozen for name in task_path(space.graph, route, "kind").slots)
