"""A task added to a trained system: what the old tasks have stays byte for byte, and what they say stays the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.errors import SpaceError
from mtnas.routes import (
    NAMED_ROUTES,
    EdgeState,
    Mix,
    Route,
    RouteGraph,
    Tower,
    canonical_route,
    cost,
    reach,
    route_digest,
)
from mtnas.routes.building.extend import frozen_route, with_tasks
from mtnas.routes.schemes.by_name import Size
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection, Supernet, copy_nodes, freeze, freeze_part, start_from
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
    found = with_tasks(graph, route, [NEW])
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
    assert {slot.owner for slot in new} == {"kind"}
    assert {slot.starts_from for slot in new} == {None, *reach(graph, route).slots}
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
        with_tasks(graph, route, [replace(NEW, task="bought")])


def _full(graph: RouteGraph, route: Route) -> Selection:
    kept = route.only(junctions=graph.junction_of(), slots=graph.slot_of())
    return Selection.from_routes(graph, [[kept]], dtype=torch.float64)


def test_reading_one_frozen_sub_network_or_another_are_two_routes() -> None:
    """Interchangeable by their wiring, not by what they have learned."""
    graph, route, _ = old_system("full_sharing")
    wider, wider_route = extended(graph, route, 0)
    top = wider.junction_of()["to.kind"]
    first, second = (
        wider_route.replace(mixes={"to.kind": Mix.of(top, {source: EdgeState.ON})}) for source in ("l2.0", "l2.1")
    )
    assert route_digest(wider, first) != route_digest(wider, second)
    assert "to.kind<-l2.1:pass" in canonical_route(wider, second).text


def test_what_one_old_task_alone_uses_is_owned_by_it() -> None:
    for name, owners in (("single_task", {"bought", "spent"}), ("full_sharing", {None})):
        graph, route, _ = old_system(name)
        assert {slot.owner for slot in frozen_route(graph, route).slots} == owners


def test_several_tasks_are_added_at_once_and_a_grown_system_grows_again() -> None:
    graph, route, _ = old_system("mmoe")
    more = [replace(NEW, task=task) for task in ("kind", "size")]
    wider = with_tasks(graph, route, more)
    assert wider.tasks == ("bought", "spent", "kind", "size")
    rng = np.random.default_rng(0)
    again = with_tasks(wider, SearchSpace(name="wider", graph=wider).sample(rng), [replace(NEW, task="colour")])
    assert all(slot.frozen == (slot.owner != "colour") for slot in again.slots)
    assert all(slot.starts_from is None for slot in again.slots if slot.frozen)


@pytest.mark.parametrize("name", ["shared_bottom", "mmoe", "full_sharing", "ple", "cross_stitch"])
def test_clones_begin_as_what_they_are_cloned_from(name: str) -> None:
    graph, route, system = old_system(name)
    wider, _ = extended(graph, route, 0)
    net = Supernet(wider, INPUTS, [0, 1], dtype=torch.float64)
    fresh = weights_by_slot(net)
    start_from(net, system)
    found, trained = weights_by_slot(net), weights_by_slot(system)
    clones = {slot.name: slot.starts_from for slot in wider.slots if slot.starts_from is not None}
    assert clones
    for slot in wider.slots:
        origin = slot.starts_from or (slot.name if slot.frozen else None)
        for mine, theirs in zip(found[slot.name], fresh[slot.name] if origin is None else trained[origin], strict=True):
            assert torch.equal(mine, theirs.expand_as(mine)), slot.name
    new, old = net.encoders[-1].parameters(), net.encoders[0].parameters()
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(new, old, strict=True))


def weights_by_slot(net: Supernet) -> dict[str, list[Tensor]]:
    """Parameters ``[K, ...]`` of every slot."""
    return {
        slot.name: [parameter[:, index].detach().clone() for parameter in bank.parameters()]
        for group, bank in net.slot_banks()
        for slot, index in zip(group.slots, group.instances, strict=True)
    }


def test_a_network_that_lacks_what_is_frozen_is_nothing_to_start_from() -> None:
    graph, route, _ = old_system("mmoe")
    wider, _ = extended(graph, route, 0)
    _, _, other = old_system("single_task")
    with pytest.raises(SpaceError, match="every node to start from"):
        start_from(Supernet(wider, INPUTS, [0], dtype=torch.float64), other)
    with pytest.raises(SpaceError, match="every node of the route"):
        freeze_part(other, graph, route)


def test_a_frozen_clone_is_none() -> None:
    slot = next(iter(old_system("mmoe")[0].slots))
    with pytest.raises(SpaceError, match="a clone that is trained"):
        replace(slot, frozen=True, starts_from=slot.name)
