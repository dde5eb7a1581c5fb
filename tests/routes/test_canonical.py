"""The canonical spelling: equal for equal architectures, different for different ones, and quick to find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtnas.errors import SpaceError
from mtnas.routes import (
    Block,
    BlockKind,
    Edge,
    EdgeState,
    Encoder,
    GateKind,
    Junction,
    Mix,
    Route,
    RouteGraph,
    Slot,
    Tower,
    canonical_route,
    cost,
    reach,
    route_digest,
)
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.schemes.by_name import full_route
from tests.routes.every_route import every_route
from tests.routes.permutations import layer_permutations, random_permutation, renamed, without_order
from tests.routes.random_graphs import BLOCKS, INPUTS, random_graph, random_mix, random_route

TOWERS = (Tower(task="a", reads=""), Tower(task="b", reads="", hidden=()))


def equal_slots(*, subnets: tuple[int, ...]) -> RouteGraph:
    """A layered graph with two blocks per slot and forward-only edges, so that every kind of choice takes part."""
    graph = layered_graph(
        TOWERS,
        subnets=subnets,
        choices=BLOCKS[:2],
        gates=(GateKind.SOFTMAX, GateKind.AVERAGE),
        queries=("input", "mean"),
    )
    both = (EdgeState.ON, EdgeState.FORWARD_ONLY)
    junctions = tuple(
        replace(junction, edges=tuple(Edge(source=source, states=both) for source in junction.sources))
        for junction in graph.junctions
    )
    return replace(graph, junctions=junctions)


@pytest.mark.parametrize("seed", range(40))
def test_digest_survives_any_permutation_of_equal_slots(seed: int) -> None:
    rng = np.random.default_rng(seed)
    subnets = tuple(int(n) for n in rng.integers(1, 5, size=int(rng.integers(1, 4))))
    graph = equal_slots(subnets=subnets)
    route = random_route(rng, graph)
    for _ in range(5):
        other = renamed(graph, route, random_permutation(rng, graph))
        assert route_digest(graph, other) == route_digest(graph, route)
        assert canonical_route(graph, other) == canonical_route(graph, route)


@pytest.mark.parametrize("seed", range(30))
def test_digest_ignores_what_no_tower_reaches(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, max_slots=4)
    route = random_route(rng, graph)
    reached = reach(graph, route)
    other_mixes = {j.name: random_mix(rng, j) for j in graph.junctions if j.name not in reached.junctions}
    other_blocks = {s.name: s.choices[-1] for s in graph.slots if s.name not in reached.slots}
    other = route.replace(mixes=other_mixes, blocks=other_blocks)
    bare = route.only(junctions=reached.junctions, slots=reached.slots)
    assert route_digest(graph, other) == route_digest(graph, bare) == route_digest(graph, route)
    assert cost(graph, other, INPUTS) == cost(graph, bare, INPUTS)


@pytest.mark.parametrize("seed", range(30))
def test_order_of_inputs_in_a_mix_means_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    route = random_route(rng, graph)
    mixes = {
        name: Mix(
            inputs=tuple(reversed(mix.inputs)),
            forward_only=tuple(reversed(mix.forward_only)),
            gate=mix.gate,
            query=mix.query,
        )
        for name, mix in route.mixes
    }
    assert canonical_route(graph, route.replace(mixes=mixes)) == canonical_route(graph, route)


@pytest.mark.parametrize("seed", range(40))
def test_canonical_spelling_is_a_symmetric_image_and_its_own_spelling(seed: int) -> None:
    """On graphs of every kind: some renaming that leaves the graph as it is takes the route to its canonical form."""
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    route = random_route(rng, graph)
    canonical = canonical_route(graph, route)
    assert canonical_route(graph, canonical) == canonical
    reached = reach(graph, route)
    bare = route.only(junctions=reached.junctions, slots=reached.slots)
    images = (renamed(graph, bare, new) for new in _symmetries(graph, reached.slots))
    assert any(without_order(image) == without_order(canonical) for image in images)


def _symmetries(graph: RouteGraph, reached: frozenset[str]) -> list[dict[str, str]]:
    """Renamings of the slots that give the same graph, by trying all."""
    slots, content = graph.slot_of(), {junction.name: _content(junction, {}) for junction in graph.junctions}
    queried = {query for junction in graph.junctions for query in junction.queries}
    instances = {slot.instance for slot in graph.slots}
    found = []
    for new in layer_permutations(graph):
        moved = [(slots[old], slots[name]) for old, name in new.items() if old != name]
        to = {old.reads: name.reads for old, name in moved}
        alike = all(
            (old.choices, old.owner, old.instance) == (name.choices, name.owner, None)
            and old.name not in instances
            and f"junction:{old.reads}" not in queried
            for old, name in moved
        )
        consistent = all(to.get(slots[old].reads, slots[old].reads) == slots[name].reads for old, name in new.items())
        same_edges = all(_content(j, new) == content[to.get(j.name, j.name)] for j in graph.junctions)
        if alike and consistent and same_edges:
            found.append({old: name for old, name in new.items() if old in reached})
    return found


def _content(junction: Junction, new: dict[str, str]) -> tuple[object, ...]:
    edges = frozenset(replace(edge, source=new.get(edge.source, edge.source)) for edge in junction.edges)
    limits = (junction.min_inputs, junction.most_inputs, junction.selectors)
    return edges, junction.gates, junction.queries, limits


@pytest.mark.parametrize(
    ("subnets", "blocks", "queries", "num_tasks"),
    [
        ((3, 2), BLOCKS[:1], ("input",), 2),
        ((2, 3), BLOCKS[:1], ("input",), 1),
        ((2, 2), BLOCKS[:2], ("input", "static"), 1),
        ((2, 2), BLOCKS[:1], ("input",), 2),
        ((2, 2, 2), BLOCKS[:1], ("input",), 1),
    ],
)
def test_digests_tell_architectures_apart_exactly(
    subnets: tuple[int, ...], blocks: tuple[Block, ...], queries: tuple[str, ...], num_tasks: int
) -> None:
    """Over every route of a small space: equal digests where, and only where, a permutation makes two routes equal."""
    graph = layered_graph(TOWERS[:num_tasks], subnets=subnets, choices=blocks, queries=queries)
    permutations = list(layer_permutations(graph))
    digest_of: dict[str, str] = {}
    num_routes = 0
    for route in every_route(graph):
        num_routes += 1
        reached = reach(graph, route)
        bare = route.only(junctions=reached.junctions, slots=reached.slots)
        brute = min(_sorted_text(graph, renamed(graph, bare, new)) for new in _distinct(permutations, reached.slots))
        assert digest_of.setdefault(brute, route_digest(graph, route)) == route_digest(graph, route)
    assert num_routes > len(digest_of) > 10
    assert len(set(digest_of.values())) == len(digest_of)


def _distinct(permutations: list[dict[str, str]], reached: frozenset[str]) -> list[dict[str, str]]:
    kept = {tuple((old, new) for old, new in p.items() if old in reached) for p in permutations}
    return [dict(pairs) for pairs in kept]


def _sorted_text(graph: RouteGraph, route: Route) -> str:
    order = {source: i for j in graph.junctions for i, source in enumerate(j.sources)}
    mixes = {
        name: Mix(inputs=tuple(sorted(mix.inputs, key=order.__getitem__)), gate=mix.gate, query=mix.query)
        for name, mix in route.mixes
    }
    return Route.of(mixes, route.block_of()).text


def test_one_edge_makes_another_digest() -> None:
    graph = equal_slots(subnets=(3, 3))
    route = full_route(graph)
    mix = route.mix_of()["to.a"]
    fewer = route.replace(mixes={"to.a": Mix(inputs=mix.inputs[1:], forward_only=(), gate=mix.gate, query=mix.query)})
    stopped = route.replace(
        mixes={"to.a": Mix(inputs=mix.inputs, forward_only=mix.inputs[:1], gate=mix.gate, query=mix.query)}
    )
    asked = route.replace(mixes={"to.a": Mix(inputs=mix.inputs, gate=mix.gate, query="mean")})
    averaged = route.replace(mixes={"to.a": Mix(inputs=mix.inputs, gate=GateKind.AVERAGE)})
    filled = route.replace(blocks={"l1.0": BLOCKS[1]})
    digests = {route_digest(graph, r) for r in (route, fewer, stopped, asked, averaged, filled)}
    assert len(digests) == 6


def test_digest_names_the_graph() -> None:
    small, large = equal_slots(subnets=(2, 2)), equal_slots(subnets=(2, 3))
    route = Route.of(
        {"in": Mix(inputs=("x",)), "to.l2.0": Mix(inputs=("l1.0",)), "to.a": Mix(inputs=("l2.0",))}
        | {"to.b": Mix(inputs=("l2.0",))},
        {"l1.0": BLOCKS[0], "l2.0": BLOCKS[0]},
    )
    assert canonical_route(small, route) == canonical_route(large, route)
    assert route_digest(small, route) != route_digest(large, route)


def test_owned_slots_do_not_swap() -> None:
    slots = tuple(Slot(name=f"own.{task}", layer=1, reads="in", choices=BLOCKS[:1], owner=task) for task in ("a", "b"))
    edges = tuple(Edge(source=slot.name) for slot in slots)
    graph = RouteGraph(
        encoders=(Encoder(),),
        slots=slots,
        junctions=(Junction(name="in", edges=(Edge(source="x"),)), Junction(name="out", edges=edges)),
        towers=(Tower(task="a", reads="out"), Tower(task="b", reads="out")),
    )
    first, second = (
        Route.of({"in": Mix(inputs=("x",)), "out": Mix(inputs=(s.name,))}, {s.name: BLOCKS[0]}) for s in slots
    )
    assert route_digest(graph, first) != route_digest(graph, second)


def test_slots_tied_to_others_do_not_swap() -> None:
    """``l2.0`` uses the weights of ``l1.0``: taking ``l1.1`` instead is another architecture."""
    layered = layered_graph(TOWERS[:1], subnets=(2, 1), choices=BLOCKS[:1])
    slots = tuple(replace(slot, instance="l1.0" if slot.layer == 2 else None) for slot in layered.slots)
    graph = replace(layered, slots=slots)

    def through(first: str) -> Route:
        mixes = {"in": Mix(inputs=("x",)), "to.l2.0": Mix(inputs=(first,)), "to.a": Mix(inputs=("l2.0",))}
        return Route.of(mixes, {first: BLOCKS[0], "l2.0": BLOCKS[0]})

    assert cost(graph, through("l1.0"), INPUTS) != cost(graph, through("l1.1"), INPUTS)
    assert route_digest(graph, through("l1.0")) != route_digest(graph, through("l1.1"))


def test_parallel_chains_are_spelled_without_trying_every_order() -> None:
    """Ten equal chains of two slots, 10! ways to order them, all alike: MMoE with two-layer experts is of this kind."""
    num_chains = 10
    graph = layered_graph(TOWERS, subnets=(num_chains, num_chains), choices=BLOCKS[:1])
    full = full_route(graph)
    rng = np.random.default_rng(0)
    spellings = []
    for _ in range(3):
        below = rng.permutation(num_chains)
        chains = {f"to.l2.{i}": Mix(inputs=(f"l1.{below[i]}",)) for i in range(num_chains)}
        spellings.append(canonical_route(graph, full.replace(mixes=chains)))
    assert spellings[0] == spellings[1] == spellings[2]


def rings(graph: RouteGraph, *lengths: int) -> Route:
    """Every slot of both layers has two neighbours, so refinement alone sees no difference; the search must."""
    mixes, first = {}, 0
    for length in lengths:
        for i in range(length):
            inputs = (f"l1.{first + i}", f"l1.{first + (i + 1) % length}")
            mixes[f"to.l2.{first + i}"] = Mix(inputs=inputs, gate=GateKind.SOFTMAX, query="input")
        first += length
    return full_route(graph).replace(mixes=mixes)


@pytest.mark.parametrize("seed", range(6))
def test_wirings_that_look_alike_from_every_slot_are_told_apart(seed: int) -> None:
    graph = layered_graph(TOWERS[:1], subnets=(7, 7), choices=BLOCKS[:1])
    rng = np.random.default_rng(seed)
    digests = set()
    for lengths in ((7,), (5, 2), (4, 3), (3, 2, 2)):
        digest = route_digest(graph, rings(graph, *lengths))
        digests.add(digest)
        for order in (lengths[::-1], tuple(rng.permutation(lengths).tolist())):
            shuffled = renamed(graph, rings(graph, *order), random_permutation(rng, graph))
            assert route_digest(graph, shuffled) == digest
    assert len(digests) == 4


@pytest.mark.parametrize("seed", range(30))
def test_digest_survives_permutations_of_very_regular_routes(seed: int) -> None:
    """Three layers where every slot reads as many of the layer below, in few patterns: many symmetries, few reasons."""
    rng = np.random.default_rng(seed)
    num_slots, fan_in = int(rng.integers(4, 7)), int(rng.integers(1, 3))
    graph = layered_graph(TOWERS[:1], subnets=(num_slots,) * 3, choices=BLOCKS[:1])
    mixes = {}
    for layer in (2, 3):
        columns = [rng.permutation(num_slots) for _ in range(fan_in)]
        for i in range(num_slots):
            inputs = tuple(dict.fromkeys(f"l{layer - 1}.{column[i]}" for column in columns))
            one = Mix(inputs=inputs) if len(inputs) == 1 else Mix(inputs=inputs, gate=GateKind.SOFTMAX, query="input")
            mixes[f"to.l{layer}.{i}"] = one
    route = full_route(graph).replace(mixes=mixes)
    digests = {route_digest(graph, renamed(graph, route, random_permutation(rng, graph))) for _ in range(6)}
    assert digests == {route_digest(graph, route)}


@pytest.mark.parametrize(
    ("slot", "junction"),
    [
        ({"choices": BLOCKS[:2]}, {}),
        ({"owner": "a"}, {}),
        ({"frozen": True}, {}),
        ({"instance": "pool"}, {}),
        ({}, {"min_inputs": 2}),
        ({}, {"max_inputs": 1}),
        ({}, {"gates": (GateKind.AVERAGE, GateKind.SOFTMAX)}),
        ({}, {"queries": ("mean", "input")}),
        ({}, {"frozen": True}),
        ({}, {"edges": (Edge(source="l1.0", required=True), Edge(source="l1.1"))}),
        ({}, {"edges": (Edge(source="l1.0", transform=True), Edge(source="l1.1"))}),
        ({}, {"edges": (Edge(source="l1.0", states=(EdgeState.FORWARD_ONLY,)), Edge(source="l1.1"))}),
    ],
)
def test_slots_that_differ_in_anything_do_not_swap(slot: dict[str, object], junction: dict[str, object]) -> None:
    layered = layered_graph(TOWERS[:1], subnets=(2, 2), choices=BLOCKS[:1])
    slots = tuple(replace(s, **slot) if s.name == "l2.1" else s for s in layered.slots)  # type: ignore[arg-type]
    junctions = [replace(j, **junction) if j.name == "to.l2.1" else j for j in layered.junctions]  # type: ignore[arg-type]
    graph = replace(layered, slots=slots, junctions=tuple(junctions))

    def through(name: str) -> Route:
        mixes = {"in": Mix(inputs=("x",)), f"to.{name}": Mix(inputs=("l1.0",)), "to.a": Mix(inputs=(name,))}
        return Route.of(mixes, {"l1.0": BLOCKS[0], name: BLOCKS[0]})

    assert route_digest(layered, through("l2.0")) == route_digest(layered, through("l2.1"))
    assert route_digest(graph, through("l2.0")) != route_digest(graph, through("l2.1"))


def test_route_without_a_reached_junction_is_refused() -> None:
    graph = equal_slots(subnets=(2,))
    with pytest.raises(SpaceError, match="junction in, which a tower reaches"):
        canonical_route(graph, full_route(graph).only(junctions=("to.a", "to.b"), slots=("l1.0", "l1.1")))


def test_route_without_a_reached_block_is_refused() -> None:
    graph = equal_slots(subnets=(2,))
    route = full_route(graph)
    bare = Route.of(route.mix_of(), {"l1.0": Block(kind=BlockKind.MLP, widths=(6,))})
    with pytest.raises(SpaceError, match=r"a block for slot l1\.1"):
        canonical_route(graph, bare)
