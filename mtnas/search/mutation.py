"""Mutations of candidates: one edge, one gate, one setting, or one sub-network inserted, removed or cloned.

The structural mutations of muNet (Gesmundo and Dean, 2022, https://arxiv.org/abs/2205.12755, section 3: clone a layer
and train it, insert, remove), as moves between routes. Which components are frozen is a matter of the space: a frozen
slot keeps its weights, and an edge that must not change is ``required``. A frozen slot is cloned into the slot that
starts from its weights (``mtnas.routes.building.extend``). Every move returns a route that may lie outside the space's
constraints, or None where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from mtnas.errors import SpaceError
from mtnas.routes import EdgeState, GateKind, Junction, Mix, Route, reach
from mtnas.routes.nodes import NO_QUERY
from mtnas.search.specs.settings_space import SettingsSpace
from mtnas.spaces import SearchSpace, fill, mutate
from mtnas.trials import Settings

Move = Callable[[SearchSpace, Route, np.random.Generator], Route | None]
States = dict[str, EdgeState]
Item = TypeVar("Item")


def mutated(
    space: SearchSpace,
    settings_space: SettingsSpace,
    route: Route,
    settings: Settings,
    *,
    settings_chance: float,
    rng: np.random.Generator,
) -> tuple[Route, Settings]:
    """Change one thing: with ``settings_chance`` a searched setting, else the route by a move drawn from ``MOVES``.

    Comes back unchanged where the move drawn does not apply.
    """
    if settings_space.parts and rng.uniform() < settings_chance:
        return route, settings_space.mutate(settings, rng)
    try:
        child = _pick(MOVES, rng)(space, route, rng)
    except SpaceError:  # no second route keeps to the constraints
        child = None
    return child or route, settings


def redraw(space: SearchSpace, route: Route, rng: np.random.Generator) -> Route | None:
    """Draw all of one junction's choices, or one slot's block, anew."""
    return mutate(space, route, rng)


def flip_edge(space: SearchSpace, route: Route, rng: np.random.Generator) -> Route | None:
    """Turn one optional edge of a reached junction on or off, or change what it carries."""
    junctions = _open_junctions(space, route)
    if not junctions:
        return None
    junction = _pick(junctions, rng)
    edges = [edge for edge in junction.edges if not edge.required or len(edge.states) > 1]
    if not edges:
        return None
    states = _states(route, junction.name)
    edge = _pick(edges, rng)
    current = states.pop(edge.source, None)
    others = [state for state in (None, *edge.states) if state != current and not (edge.required and state is None)]
    chosen = _pick(others, rng)
    if chosen is not None:
        states[edge.source] = chosen
    return _rewired(space, route, {junction.name: states}, rng)


def change_gate(space: SearchSpace, route: Route, rng: np.random.Generator) -> Route | None:
    """Give a junction that mixes several inputs another gate or query."""
    mixing = [j for j in _open_junctions(space, route) if len(route.mix_of()[j.name].inputs) > 1]
    if not mixing:
        return None
    junction = _pick(mixing, rng)
    mix = route.mix_of()[junction.name]
    manners = [
        Mix.of(junction, _states(route, junction.name), gate=gate, query=query)
        for gate in junction.gates
        if gate is not GateKind.PASS
        for query in (junction.queries or (None,))
    ]
    others = [other for other in manners if other != mix]
    return fill(space, route, rng).replace(mixes={junction.name: _pick(others, rng)}) if others else None


def insert_slot(space: SearchSpace, route: Route, rng: np.random.Generator) -> Route | None:
    """Let a reached junction read a sub-network that the route does not use yet."""
    unused = _unused_slots(space, route)
    readers = [j for j in _open_junctions(space, route) if not unused.isdisjoint(j.sources)]
    if not readers:
        return None
    junction = _pick(readers, rng)
    edge = _pick([edge for edge in junction.edges if edge.source in unused], rng)
    states = _states(route, junction.name) | {edge.source: edge.states[0]}
    return _rewired(space, route, {junction.name: states}, rng)


def remove_slot(space: SearchSpace, route: Route, rng: np.random.Generator) -> Route | None:
    """Take a sub-network out of every junction that reads it, frozen ones aside."""
    used = sorted(reach(space.graph, route).slots)
    if not used:
        return None
    slot = _pick(used, rng)
    wiring = {j.name: _states(route, j.name) for j in _open_junctions(space, route)}
    rewired = {name: states for name, states in wiring.items() if slot in states}
    for states in rewired.values():
        del states[slot]
    return _rewired(space, route, rewired, rng) if rewired else None


def clone_slot(space: SearchSpace, route: Route, rng: np.random.Generator) -> Route | None:
    """Copy a sub-network with several readers into an unused slot of its layer; one of them reads the copy instead.

    The copy reads what the original reads.
    """
    slots, junctions = space.graph.slot_of(), space.graph.junction_of()
    reached = _reached_junctions(space, route)
    readers = {
        name: [junction for junction in reached if name in route.mix_of()[junction.name].inputs]
        for name in sorted(reach(space.graph, route).slots)
    }
    shared = {
        name: movable
        for name, reading in readers.items()
        if len(reading) > 1 and (movable := [junction for junction in reading if not junction.frozen])
    }
    if not shared:
        return None
    original = slots[_pick(list(shared), rng)]
    reader = _pick(shared[original.name], rng)
    block = route.block_of()[original.name]
    copies = [
        slot
        for slot in (slots[name] for name in sorted(_unused_slots(space, route)))
        if slot.layer == original.layer
        and block in slot.choices
        and slot.name in reader.sources
        and slot.starts_from == (original.name if original.frozen else None)
    ]
    if not copies:
        return None
    copy = _pick(copies, rng)
    states = _states(route, reader.name)
    states[copy.name] = states.pop(original.name)
    child = _rewired(space, route, {reader.name: states}, rng)
    if child is None or copy.reads == original.reads:
        return None if child is None else child.replace(blocks={copy.name: block})
    mix = _copied(space, route.mix_of()[original.reads], junctions[copy.reads], rng)
    return None if mix is None else child.replace(mixes={copy.reads: mix}, blocks={copy.name: block})


def _copied(space: SearchSpace, mix: Mix, junction: Junction, rng: np.random.Generator) -> Mix | None:
    """The same inputs at another junction, mixed as before where it can, else in a manner of its own."""
    states = {s: EdgeState.FORWARD_ONLY if s in mix.forward_only else EdgeState.ON for s in mix.inputs}
    permitted = {edge.source: edge.states for edge in junction.edges}
    if any(state not in permitted.get(source, ()) for source, state in states.items()):
        return None
    if mix.gate in (GateKind.PASS, *junction.gates) and mix.query in (NO_QUERY, *junction.queries):
        return mix
    manner = space.sample_mix(junction, rng)
    gate = None if manner.gate is GateKind.PASS else manner.gate
    query = None if manner.query == NO_QUERY else manner.query
    return Mix.of(junction, states, gate=gate, query=query)


MOVES: tuple[Move, ...] = (redraw, flip_edge, change_gate, insert_slot, remove_slot, clone_slot)


def _rewired(space: SearchSpace, route: Route, wiring: dict[str, States], rng: np.random.Generator) -> Route | None:
    """The route with other inputs at some junctions; gates and queries stay. None where the inputs cannot be these."""
    junctions = space.graph.junction_of()
    filled = fill(space, route, rng)
    old, mixes = filled.mix_of(), {}
    for name, states in wiring.items():
        junction = junctions[name]
        required = {edge.source for edge in junction.edges if edge.required}
        if not required <= states.keys() or not junction.min_inputs <= len(states) <= space.most_inputs(junction):
            return None
        mixing = space.sample_mix(junction, rng) if len(old[name].inputs) == 1 else old[name]
        gate = mixing.gate if mixing.gate in junction.gates else None
        query = mixing.query if mixing.query in junction.queries else None
        mixes[name] = Mix.of(junction, states, gate=gate, query=query)
    return filled.replace(mixes=mixes)


def _reached_junctions(space: SearchSpace, route: Route) -> list[Junction]:
    reached = reach(space.graph, route).junctions
    return [junction for junction in space.graph.junctions if junction.name in reached]


def _open_junctions(space: SearchSpace, route: Route) -> list[Junction]:
    """The reached junctions that are not frozen, in which nothing can change."""
    return [junction for junction in _reached_junctions(space, route) if not junction.frozen]


def _unused_slots(space: SearchSpace, route: Route) -> frozenset[str]:
    reached = reach(space.graph, route).slots
    return frozenset(slot.name for slot in space.graph.slots if slot.name not in reached)


def _states(route: Route, junction: str) -> States:
    mix = route.mix_of()[junction]
    return {s: EdgeState.FORWARD_ONLY if s in mix.forward_only else EdgeState.ON for s in mix.inputs}


def _pick(items: Sequence[Item], rng: np.random.Generator) -> Item:
    return items[int(rng.integers(len(items)))]
