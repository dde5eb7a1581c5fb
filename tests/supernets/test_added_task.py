"""A task added to a trained system: what the old tasks have stays byte for byte, and what they say stays the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.errors import SpaceError
from mtnas.routes import NAMED_ROUTES, Route, RouteGraph, Tower, cost, reach
from mtnas.routes.extend import with_task
from mtnas.routes.named import Size
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection, Supernet, copy_nodes, freeze
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings
from tests.supernets.batches import random_features
from tests.supernets.weights import randomise
from tests.training.together import INPUTS, TASKS, rows

NEW = Tower(task="kind", reads="", hidden=(4,), outputs=3)
OLD = tuple(Tower(task=task.name, reads="", hidden=(4,), outputs=task.num_outputs) for task in TASKS[:2])
BATCH = random_features(INPUTS, rows=12, seed=1)


def old_system(name: str) -> tuple[RouteGraph, Route, Supernet]:
    """A system of two tasks with random weights."""
    named = NAMED_ROUTES[name](OLD, Size(layers=2, experts=3, width=6))
    net = Supernet(named.graph, INPUTS, [0], dtype=torch.float64)
    randomise(net, seed=0, scale=0.5)
    return named.graph, named.route, freeze(net, named.route)


def extended(graph: RouteGraph, route: Route, seed: int) -> tuple[RouteGraph, Route]:
    """The graph with the new task, and a random route of it."""
    found = with_task(graph, route, NEW)
    return found, SearchSpace(name="extended", graph=found).sample(np.random.default_rng(seed))


def weights_of(net: Supernet, route: Route, graph: RouteGraph) -> dict[str, Tensor]:
    """Parameters of the old route alone."""
    bare = route.only(junctions=graph.junction_of(), slots=graph.slot_of())
    small = Supernet(graph, INPUTS, [0], dtype=torch.float64)
    copy_nodes(small, net, candidate=0)
    assert bare.mixes
    return dict(small.named_parameters())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["shared_bottom", "mmoe", "full_sharing", "ple", "cross_stitch"])
def test_training_the_new_task_leaves_the_old_ones_alone(name: str, seed: int) -> None:
    graph, route, system = old_system(name)
    wider, wider_route = extended(graph, route, seed)
    trainer = PackTrainer(
        graph=wider,
        inputs=INPUTS,
        routes=[wider_route],
        settings=[Settings(lr=0.02, weight_decay=0.1, dropout=0.2)],
        tasks=TASKS,
        data=rows(),
        recipe=Recipe(batch_size=32, epochs=1, precision="float64"),
        parts=("train",),
    )
    copy_nodes(trainer.net, system, candidate=0)
    own = {n: p.detach().clone() for n, p in trainer.net.named_parameters() if p.requires_grad}
    for _ in trainer.run():
        pass
    after = weights_of(trainer.net, wider_route, system.graph)
    for key, parameter in system.named_parameters():
        assert torch.equal(parameter, after[key]), key
    assert any(not torch.equal(own[n], p) for n, p in trainer.net.named_parameters() if n in own)
    old_outputs = system(BATCH, _full(system.graph, route))
    new_outputs = trainer.net(BATCH, trainer.selection)
    for before, now in zip(old_outputs, new_outputs[:2], strict=True):
        torch.testing.assert_close(before, now, rtol=1e-9, atol=1e-9)
    assert trainer.evaluate("valid")["kind"]


def test_new_task_may_read_old_sub_networks_and_brings_its_own() -> None:
    graph, route, _ = old_system("full_sharing")
    wider, _ = extended(graph, route, 0)
    slots = wider.slot_of()
    assert all(slots[name].frozen for name in reach(graph, route).slots)
    new = [slot for slot in wider.slots if not slot.frozen]
    assert [slot.owner for slot in new] == ["kind", "kind"]
    top = wider.junction_of()["to.kind"]
    assert {source for source in top.sources if slots[source].frozen} == {"l2.0", "l2.1", "l2.2"}
    assert RouteGraph.from_json(wider.to_json()) == wider


def test_old_part_of_the_route_costs_what_it_did() -> None:
    graph, route, _ = old_system("mmoe")
    wider, wider_route = extended(graph, route, 1)
    added = cost(wider, wider_route, INPUTS).num_params - cost(graph, route, INPUTS).num_params
    net = Supernet(wider, INPUTS, [0])
    frozen = freeze(net, wider_route)
    assert sum(p.numel() for p in frozen.parameters() if p.requires_grad) == added


def test_a_task_cannot_be_added_twice() -> None:
    graph, route, _ = old_system("mmoe")
    with pytest.raises(SpaceError, match="a task that is not there yet"):
        with_task(graph, route, replace(NEW, task="bought"))


def _full(graph: RouteGraph, route: Route) -> Selection:
    kept = route.only(junctions=graph.junction_of(), slots=graph.slot_of())
    return Selection.from_routes(graph, [[kept]], dtype=torch.float64)
