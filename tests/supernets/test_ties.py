"""Tied slots: one set of weights in several places, whether they run as a grid, as a list or across layers."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from mtnas.errors import SpaceError
from mtnas.routes import Block, BlockKind, Edge, Encoder, GateKind, Junction, RouteGraph, Slot, Tower, cost
from mtnas.routes.building.streams import Manner, levels_of, stream_graph
from mtnas.routes.schemes.by_name import NamedRoute, full_route
from mtnas.supernets import Selection, Supernet, freeze
from mtnas.supernets.activations import Activations
from mtnas.supernets.banks.bank import MlpBank
from mtnas.supernets.banks.slots import run_slots
from tests.schemes.parts import INPUTS, parts_of

TOWERS = tuple(Tower(task=task, reads="", hidden=()) for task in ("a", "b", "c"))
BLOCK = Block(kind=BlockKind.MLP, widths=(INPUTS.width,))


def graph(*, pool: bool = False, components: int = 2, layers: int = 2):  # type: ignore[no-untyped-def]
    return stream_graph(TOWERS, levels_of([((BLOCK,),) * components] * layers, pool=pool), Manner())


@pytest.mark.parametrize("pool", [False, True])
def test_every_task_runs_through_the_same_weights(pool: bool) -> None:
    streams = graph(pool=pool)
    p = parts_of(NamedRoute(name="streams", graph=streams, route=full_route(streams)))
    h = p.x
    for layer in (1, 2):
        # Averages of the same components of the same input: all tasks' streams are one.
        h = torch.stack([p.block(f"s{layer}.{index}.a", h) for index in range(2)]).mean(0)
    found = p.net(p.batch, Selection.from_route(streams, p.named.route))
    for task, output in zip(("a", "b", "c"), found, strict=True):
        torch.testing.assert_close(output[0], p.tower(task, h), rtol=1e-10, atol=1e-10)


def test_weights_are_counted_once_and_products_for_every_use() -> None:
    own, pooled = graph(), graph(pool=True)
    one = BLOCK.num_params(INPUTS.width)
    towers = len(TOWERS) * (INPUTS.width + 1)
    assert cost(own, full_route(own), INPUTS).num_params == INPUTS.num_params + 4 * one + towers
    assert cost(pooled, full_route(pooled), INPUTS).num_params == INPUTS.num_params + 2 * one + towers
    assert cost(own, full_route(own), INPUTS).macs == cost(pooled, full_route(pooled), INPUTS).macs
    for streams, instances in ((own, 4), (pooled, 2)):
        net = Supernet(streams, INPUTS, [0])
        assert sum(bank.weights[0].shape[1] for bank in net.banks.values()) == instances


def test_one_step_moves_a_tied_weight_for_every_task() -> None:
    streams = graph()
    p = parts_of(NamedRoute(name="streams", graph=streams, route=full_route(streams)))
    chosen = Selection.from_route(streams, p.named.route)
    before = [output.detach().clone() for output in p.net(p.batch, chosen)]
    p.net(p.batch, chosen)[0].sum().backward()
    with torch.no_grad():
        for bank in p.net.banks.values():
            for parameter in bank.parameters():
                parameter -= 0.1 * parameter.grad
    after = p.net(p.batch, chosen)
    assert all(not torch.allclose(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("pool", [False, True])
def test_freezing_keeps_ties(pool: bool) -> None:
    streams = graph(pool=pool)
    net = Supernet(streams, INPUTS, [0])
    frozen = freeze(net, full_route(streams))
    assert [bank.weights[0].shape[1] for bank in frozen.banks.values()] == ([2] if pool else [2, 2])


@pytest.mark.parametrize("users", list(itertools.product((1, 2, 3), repeat=2)))
def test_any_pattern_of_use_equals_slot_by_slot(users: tuple[int, int]) -> None:
    """Instance 0 is used ``users[0]`` times, instance 1 ``users[1]`` times, each slot behind a junction of its own."""
    slots = [
        Slot(
            name=f"s.{instance}.{use}", layer=1, reads=f"in.{instance}.{use}", choices=(BLOCK,), instance=f"i{instance}"
        )
        for instance, count in enumerate(users)
        for use in range(count)
    ]
    edges = tuple(Edge(source=slot.name) for slot in slots)
    junctions = [
        Junction(name=slot.reads, edges=(Edge(source="x"),), gates=(GateKind.PASS,), queries=()) for slot in slots
    ]
    tower = Junction(name="to.a", edges=edges, gates=(GateKind.SUM,), queries=())
    net = Supernet(
        RouteGraph(
            encoders=(Encoder(),),
            slots=tuple(slots),
            junctions=(*junctions, tower),
            towers=(Tower(task="a", reads="to.a"),),
        ),
        INPUTS,
        [0],
        dtype=torch.float64,
    )
    ((group, bank),) = net.slot_banks()
    assert isinstance(bank, MlpBank)
    mixed = Activations()
    generator = torch.Generator().manual_seed(0)
    x = {slot.reads: torch.randn(1, 1, 4, INPUTS.width, generator=generator, dtype=torch.float64) for slot in slots}
    for name, vector in x.items():
        mixed.put((name,), vector)
    found = run_slots(bank, 2, group, mixed, None)
    for position, slot in enumerate(group.slots):
        instance = int(slot.instance[1:]) if slot.instance else 0
        h = x[slot.reads][0, 0] @ bank.weights[0][0, instance] + bank.biases[0][0, instance]
        normal = functional.layer_norm(
            h, h.shape[-1:], bank.norm_scales[0][0, instance], bank.norm_shifts[0][0, instance]
        )
        torch.testing.assert_close(found[0, position], normal.relu())


def test_weights_that_are_frozen_in_one_place_alone_are_refused() -> None:
    streams = graph()
    first = streams.slots[0]
    held = [replace(slot, frozen=slot.name == first.name) for slot in streams.slots]
    with pytest.raises(SpaceError, match=rf"weights {first.weights_of}: expected .* all frozen, or none"):
        replace(streams, slots=tuple(held))
    replace(streams, slots=tuple(replace(s, frozen=s.weights_of == first.weights_of) for s in streams.slots))
