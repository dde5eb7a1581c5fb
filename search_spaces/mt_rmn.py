"""Recurrent modules whose connections open and close at every time step, under a recurrent decoder per task.

Source: Xu et al., "Multi-Task Recurrent Modular Networks" (MT-RMN), AAAI 2021,
https://doi.org/10.1609/aaai.v35i12.17256: a shared encoder of layers of recurrent sub-networks, task-specific decoders,
and policy networks that make binary decisions about the connections between them at every step; METHODS.md section 7.
Only its abstract could be read: cells, policies and estimator are ours, and a row has one label a task, which the
decoder's last state tells. A policy looks at the step alone, at the mean state of the modules below or at the inputs,
so a layer may run over all steps before the next. What is searched: which connections may open at all, and what the
policies look at (``Settings.gate``: ``binary_open``, ``binary_temperature``).

The inputs are sequences alone: ``channels`` columns of kind ``sequence`` with ``steps`` numbers each (or numeric
columns with ``bins: 0``, the steps of the first channel, then those of the second).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtnas.routes import Block, BlockKind, Edge, Encoder, GateKind, Junction, RouteGraph, Slot, Tower
from mtnas.routes.building.layered import ENCODER, ENTRY, entry_junction, slot_name, tower_junction
from mtnas.routes.nodes import INPUT_QUERY, MEAN_QUERY
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range

QUERIES = (MEAN_QUERY, INPUT_QUERY)


def mt_rmn_space(
    towers: Sequence[Tower],
    *,
    channels: int = 1,
    steps: int = 12,
    layers: int = 2,
    subnets: int = 4,
    units: int = 32,
    decoder: int = 32,
) -> SearchSpace:
    """Layers of recurrent modules that tasks connect anew at every step of a sequence (MT-RMN).

    Args:
        towers: the tasks' towers.
        channels: numbers per step of the inputs, at most 1024.
        steps: steps of the inputs, at most 512.
        layers: layers of recurrent modules, at most 8.
        subnets: modules per layer, at most 32.
        units: units of each module.
        decoder: units of each task's decoder.

    Raises:
        SpaceError: a number outside its range.
    """
    check_range("channels", channels, most=1024)
    check_range("steps", steps, least=2, most=512)
    check_range("layers", layers, most=8)
    check_range("subnets", subnets, most=32)
    check_range("units", units, most=1024)
    check_range("decoder", decoder, most=1024)

    def opened(name: str, layer: int) -> Junction:
        edges = tuple(Edge(source=slot_name(layer, index)) for index in range(subnets))
        gates, queries = ((GateKind.BINARY,), QUERIES) if subnets > 1 else ((GateKind.PASS,), ())
        return Junction(name=name, edges=edges, gates=gates, queries=queries, steps=steps)

    slots, junctions = list[Slot](), [entry_junction()]
    for layer in range(1, layers + 1):
        block = Block(kind=BlockKind.GRU, widths=(channels if layer == 1 else units, steps, units))
        for index in range(subnets):
            name = slot_name(layer, index)
            slots.append(Slot(name=name, layer=layer, reads=ENTRY if layer == 1 else f"to.{name}", choices=(block,)))
            if layer > 1:
                junctions.append(opened(f"to.{name}", layer - 1))
    last = Block(kind=BlockKind.GRU_LAST, widths=(units, steps, decoder))
    for tower in towers:
        name, reads = f"own.{tower.task}", f"to.own.{tower.task}"
        slots.append(Slot(name=name, layer=layers + 1, reads=reads, choices=(last,), owner=tower.task))
        passed = (Edge(source=name),)
        junctions.append(opened(reads, layers))
        junctions.append(Junction(name=tower_junction(tower.task), edges=passed, gates=(GateKind.PASS,), queries=()))
    graph = RouteGraph(
        encoders=(Encoder(name=ENCODER),),
        slots=tuple(slots),
        junctions=tuple(junctions),
        towers=tuple(replace(tower, reads=tower_junction(tower.task)) for tower in towers),
    )
    return SearchSpace(name="mt_rmn", graph=graph)
