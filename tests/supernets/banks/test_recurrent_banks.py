"""Sequences: recurrent blocks, mixing step by step, and modules that a task closes because they do not help it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mtnas.errors import SpaceError
from mtnas.routes import Block, BlockKind, GateKind, InputShape, RouteGraph, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Selection, Supernet
from mtnas.supernets.banks.block_banks import make_bank
from mtnas.supernets.banks.recurrent_banks import RecurrentBank, rows_of_steps, sequences_of
from mtnas.supernets.initial import Initial
from mtnas.training.step.noise import Noise
from search_spaces.mt_rmn import mt_rmn_space
from tests.supernets.batches import RandomFeatures, random_features
from tests.supernets.weights import randomise

CHANNELS, STEPS = 2, 5
INPUTS = InputShape(num_numeric=CHANNELS * STEPS)
TOWERS = (Tower(task="a", reads="", hidden=()), Tower(task="b", reads="", hidden=()))


@pytest.mark.parametrize("last", [False, True])
def test_recurrent_block_is_the_librarys(last: bool) -> None:
    block = Block(kind=BlockKind.GRU_LAST if last else BlockKind.GRU, widths=(CHANNELS, STEPS, 3))
    bank = make_bank(["s"], block, INPUTS.width, Initial(seeds=[0], dtype=torch.float64))
    assert isinstance(bank, RecurrentBank)
    cell = nn.GRU(CHANNELS, 3, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ih_l0.copy_(bank.weights_read[0, 0].T)
        cell.weight_hh_l0.copy_(bank.weights_state[0, 0].T)
        cell.bias_ih_l0.copy_(bank.biases_read[0, 0])
        cell.bias_hh_l0.copy_(bank.biases_state[0, 0])
    x = random_features(INPUTS, rows=4, seed=0).numeric
    states = cell(x[0].view(4, CHANNELS, STEPS).transpose(1, 2))[0]
    expected = states[:, -1] if last else states.transpose(1, 2).flatten(1)
    torch.testing.assert_close(bank(x.unsqueeze(1), None)[0, 0], expected, rtol=1e-12, atol=1e-12)


def test_rows_of_steps_are_put_together_again() -> None:
    x = torch.arange(2 * 3 * CHANNELS * STEPS).view(2, 3, CHANNELS * STEPS)
    rows = rows_of_steps(x, STEPS)
    assert rows.shape == (2, 3 * STEPS, CHANNELS)
    assert rows[0, 1].tolist() == [1, STEPS + 1]  # the second step of the first sequence, one number a channel
    assert torch.equal(sequences_of(rows, STEPS), x)


def network(seed: int = 0, *, query: str | None = None) -> tuple[RouteGraph, Supernet]:
    """Two layers of three modules under two decoders, with random weights."""
    graph = mt_rmn_space(TOWERS, channels=CHANNELS, steps=STEPS, layers=2, subnets=3, units=3, decoder=3).graph
    if query is not None:
        asked = [replace(j, queries=(query,)) if len(j.edges) > 1 else j for j in graph.junctions]
        graph = replace(graph, junctions=tuple(asked))
    net = Supernet(graph, INPUTS, [0], dtype=torch.float64)
    randomise(net, seed=seed)
    return graph, net


def whole(graph: RouteGraph, gate: dict[str, float] | None = None) -> Selection:
    """The route of all edges."""
    return Selection.from_routes(graph, [[full_route(graph)]], dtype=torch.float64, gate=[gate or {}])


@pytest.mark.parametrize("query", ["mean", "input"])
def test_nothing_of_a_step_depends_on_later_ones(query: str) -> None:
    """So that running a layer over all steps before the next is the same as running all layers step by step."""
    graph, net = network(query=query)
    x = random_features(INPUTS, rows=4, seed=0)
    changed = x.numeric.clone().view(1, 4, CHANNELS, STEPS)
    changed[..., 3:] += 5
    other = replace(x, numeric=changed.flatten(2))
    first, second = (net.trunk(batch, whole(graph)).one("to.own.a")[0].view(4, 3, STEPS) for batch in (x, other))
    torch.testing.assert_close(first[..., :3], second[..., :3], rtol=1e-12, atol=1e-12)
    assert (first[..., 3:] != second[..., 3:]).any()


@pytest.mark.parametrize("query", ["mean", "input"])
def test_layer_by_layer_equals_step_by_step(query: str) -> None:
    """All modules and decoders of a step before the next step: the recurrence as the paper has it."""
    graph, net = network(query=query)
    x = random_features(INPUTS, rows=4, seed=1)
    now_BCT = x.numeric[0].view(4, CHANNELS, STEPS)
    states: dict[str, Tensor] = {slot.name: torch.zeros(4, 3, dtype=torch.float64) for slot in graph.slots}
    for step in range(STEPS):
        for slot in graph.slots:
            if slot.layer == 1:
                read = now_BCT[..., step]
            else:
                sources = [states[name] for name in graph.junction_of()[slot.reads].sources]
                asked = torch.stack(sources).mean(0) if query == "mean" else now_BCT[..., step]
                opened = is_open(net, slot.reads, asked)
                read = sum((opened[:, i : i + 1] * h for i, h in enumerate(sources)), torch.zeros(()))
            states[slot.name] = cell(net, slot.name, read, states[slot.name])
    found = net.trunk(x, whole(graph))
    for task in ("a", "b"):
        torch.testing.assert_close(found.one(f"to.{task}")[0], states[f"own.{task}"], rtol=1e-10, atol=1e-10)


def is_open(net: Supernet, junction: str, query: Tensor) -> Tensor:
    """Zeros and ones ``[B, N]`` of a junction's policy."""
    for group in net.gates.values():
        if junction in group.names:
            at, gate = group.names.index(junction), group.kinds["binary"]
            return (query @ gate.weights["0"][0, at] + gate.biases["0"][0, at] > 0).double()
    raise KeyError(junction)


def cell(net: Supernet, slot: str, x: Tensor, h: Tensor) -> Tensor:
    """One step of a slot's gated recurrent unit."""
    for group, bank in net.slot_banks():
        for node, i in zip(group.slots, group.instances, strict=True):
            if node.name == slot:
                a = x @ bank.weights_read[0, i] + bank.biases_read[0, i]
                b = h @ bank.weights_state[0, i] + bank.biases_state[0, i]
                r, z = (a[:, :3] + b[:, :3]).sigmoid(), (a[:, 3:6] + b[:, 3:6]).sigmoid()
                return (1 - z) * (a[:, 6:] + r * b[:, 6:]).tanh() + z * h
    raise KeyError(slot)


def test_routes_change_from_step_to_step() -> None:
    graph, net = network(query="input")
    found = policies(net, random_features(INPUTS, rows=6, seed=0), whole(graph), "to.own.a")
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert (found[:, 0] != found[:, 1]).any()


def policies(net: Supernet, x: RandomFeatures, chosen: Selection, junction: str) -> Tensor:
    """Values of a junction's connections ``[B, T, N]``."""
    seen: list[Tensor] = []
    group = next(group for group in net.gates.values() if junction in group.names)
    handle = group.kinds["binary"].register_forward_hook(lambda _module, _inputs, gated: seen.append(gated.values))
    with torch.no_grad():
        net.trunk(x, chosen)
    handle.remove()
    found_NR = seen[0][0, group.names.index(junction)]
    return found_NR.view(len(found_NR), -1, STEPS).permute(1, 2, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 4}, "sequences of 4 steps, found width 15"),
        ({"steps": 0}, "whole numbers of at least 1"),
        ({"steps": 5, "transform": True}, "no matrix on edges of sequences"),
    ],
)
def test_what_is_no_sequence_is_refused(change: dict[str, int], message: str) -> None:
    block = Block(kind=BlockKind.GRU, widths=(CHANNELS, STEPS, 3))
    graph = layered_graph(TOWERS, subnets=(2,), choices=(block,), gates=(GateKind.BINARY,))
    with pytest.raises(SpaceError, match=message):
        stepped(graph, steps=change["steps"], transform=bool(change.get("transform")))


def stepped(graph: RouteGraph, *, steps: int, transform: bool) -> RouteGraph:
    """The graph with junctions over sequences, and with matrices on their edges."""
    junctions = [
        replace(j, steps=steps, edges=tuple(replace(edge, transform=transform) for edge in j.edges))
        for j in graph.junctions
        if j.name != "in"
    ]
    return replace(graph, junctions=(graph.junctions[0], *junctions))


def test_inputs_of_another_length_are_refused() -> None:
    graph, _ = network()
    with pytest.raises(SpaceError, match=r"expected input width 10, found 7"):
        Supernet(graph, InputShape(num_numeric=7), [0])


def test_a_module_that_knows_nothing_of_the_task_is_closed_and_the_other_stays_open() -> None:
    """Module 1 hears noise alone and is held; an open connection costs a little.

    Without that cost it is read in half of the steps.
    """
    graph = planted_graph()
    settings = [{"binary_open": 0.02}, {"binary_open": 0.0}]
    net = Supernet(graph, INPUTS, [0, 0], dtype=torch.float64)
    (bank,) = [bank for group, bank in net.slot_banks() if group.slots[0].frozen]
    bank.weights_read.data[:, :, 0] = 0  # deaf to the channel that matters
    (open_bank,) = [bank for group, bank in net.slot_banks() if group.slots[0].name == "l1.0"]
    open_bank.weights_read.data[:, :, 1] = 0
    chosen = Selection.from_routes(graph, [[full_route(graph)]] * 2, dtype=torch.float64, gate=settings)
    x = random_features(INPUTS, rows=256, seed=3)
    signal = x.numeric[0].view(256, CHANNELS, STEPS)[:, 0]
    targets = torch.stack([signal[:, -1] + signal[:, -2], signal[:, -1] - signal[:, -2]], dim=1)
    noise = Noise(seeds=[0, 0], dropout=[0.0, 0.0], device=torch.device("cpu"))
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.02)
    for step in range(250):
        noise.at_step(step)
        optimiser.zero_grad()
        trunk = net.trunk(x, chosen, noise)
        loss = (torch.cat(net.read_out(trunk), dim=-1) - targets).square().mean((1, 2)).sum()
        penalty = trunk.penalty(chosen)
        assert penalty is not None
        (loss + penalty).backward()
        optimiser.step()
    with torch.no_grad():
        error = (torch.cat(net(x, chosen), dim=-1) - targets).square().mean((1, 2))
    kept = {k: share_open(net, x, chosen, candidate=k) for k in (0, 1)}
    assert (error < 0.5 * targets.var()).all(), error
    assert kept[0]["relevant"] > 0.3, kept
    assert kept[0]["irrelevant"] < 0.05, kept
    assert kept[1]["relevant"] > 0.3, kept
    assert kept[1]["irrelevant"] > 0.2, kept


def planted_graph() -> RouteGraph:
    """Two modules, the second one held, and a decoder per task behind policies on every step."""
    graph = mt_rmn_space(TOWERS, channels=CHANNELS, steps=STEPS, layers=1, subnets=2, units=6, decoder=6).graph
    slots = [replace(slot, frozen=slot.name == "l1.1") for slot in graph.slots]
    junctions = [replace(j, queries=("mean",)) if len(j.edges) > 1 else j for j in graph.junctions]
    return replace(graph, slots=tuple(slots), junctions=tuple(junctions))


def share_open(net: Supernet, x: RandomFeatures, chosen: Selection, *, candidate: int) -> dict[str, float]:
    """In which share of steps the tasks' decoders read each module."""
    seen: list[Tensor] = []
    group = next(group for group in net.gates.values() if "to.own.a" in group.names)
    handle = group.kinds["binary"].register_forward_hook(lambda _module, _inputs, gated: seen.append(gated.values))
    with torch.no_grad():
        net.trunk(x, chosen)
    handle.remove()
    relevant, irrelevant = seen[0][candidate].mean((0, 2)).tolist()
    return {"relevant": relevant, "irrelevant": irrelevant}
