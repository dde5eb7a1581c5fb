"""Graphs: read back from JSON, one digest per content, and refused where no module could be built from them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtnas.errors import SpaceError
from mtnas.routes import Edge, Encoder, GateKind, InputShape, Junction, RouteGraph, Slot, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.nodes import EdgeState
from mtnas.routes.widths import node_widths
from tests.routes.random_graphs import BLOCKS, INPUTS, WIDTH, random_graph

TOWERS = (Tower(task="a", reads=""), Tower(task="b", reads="", hidden=()))
GRAPH = layered_graph(TOWERS, subnets=(2, 2), choices=BLOCKS[:2])


@pytest.mark.parametrize("seed", range(50))
def test_graph_is_read_back_from_json(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed))
    text = json.dumps(graph.to_json())
    again = RouteGraph.from_json(json.loads(text))
    assert again == graph
    assert again.digest == graph.digest
    assert json.dumps(again.to_json()) == text


def test_every_field_is_part_of_the_digest() -> None:
    first_junction, first_slot, tower = GRAPH.junctions[1], GRAPH.slots[0], GRAPH.towers[0]
    edges = first_junction.edges
    others = [
        replace(first_junction, gates=(GateKind.AVERAGE,)),
        replace(first_junction, queries=("mean",)),
        replace(first_junction, max_inputs=1),
        replace(first_junction, min_inputs=2),
        replace(first_junction, edges=edges[::-1]),
        replace(first_junction, edges=(replace(edges[0], required=True), *edges[1:])),
        replace(first_junction, edges=(replace(edges[0], states=(EdgeState.FORWARD_ONLY,)), *edges[1:])),
    ]
    graphs = [replace(GRAPH, junctions=(GRAPH.junctions[0], other, *GRAPH.junctions[2:])) for other in others]
    slots = [
        replace(first_slot, choices=BLOCKS[:1]),
        replace(first_slot, owner="a"),
        replace(first_slot, frozen=True),
        replace(first_slot, instance="shared"),
    ]
    graphs += [replace(GRAPH, slots=(slot, *GRAPH.slots[1:])) for slot in slots]
    graphs += [replace(GRAPH, towers=(other, *GRAPH.towers[1:])) for other in (replace(tower, hidden=()),)]
    graphs += [replace(GRAPH, towers=(replace(tower, outputs=2), *GRAPH.towers[1:])), GRAPH]
    assert len({graph.digest for graph in graphs}) == len(graphs)


def junction(name: str, *sources: str, **changes: Any) -> Junction:
    return replace(Junction(name=name, edges=tuple(Edge(source=source) for source in sources)), **changes)


def with_junction(*changed: Junction) -> RouteGraph:
    kept = [j for j in GRAPH.junctions if j.name not in {other.name for other in changed}]
    return replace(GRAPH, junctions=(*kept, *changed))


@pytest.mark.parametrize(
    ("build", "where", "expected", "found"),
    [
        (lambda: replace(GRAPH, encoders=()), "graph", "at least one encoder", "none"),
        (lambda: replace(GRAPH, towers=()), "graph", "at least one encoder and one tower", "none"),
        (lambda: replace(GRAPH, slots=(*GRAPH.slots, GRAPH.slots[0])), "encoders and slots", "differ", "l1.0"),
        (lambda: replace(GRAPH, encoders=(Encoder(name="l1.0"),)), "encoders and slots", "differ", "l1.0"),
        (lambda: replace(GRAPH, junctions=(*GRAPH.junctions, GRAPH.junctions[0])), "junctions", "differ", "in"),
        (lambda: replace(GRAPH, towers=(*GRAPH.towers, GRAPH.towers[0])), "towers", "differ", "'a'"),
        (lambda: replace(GRAPH, junctions=GRAPH.junctions[1:]), "slot l1.0", "one of the junctions", "'in'"),
        (lambda: replace(GRAPH, junctions=GRAPH.junctions[:-1]), "tower of 'b'", "one of the junctions", "'to.b'"),
        (lambda: with_junction(junction("to.a", "l9.9")), "junction to.a", "an encoder or a slot", "'l9.9'"),
        (lambda: with_junction(junction("to.l2.0", "l2.1")), "junction to.l2.0", "below layer 2", "l2.1 of layer 2"),
        (lambda: with_junction(junction("in", "l2.1")), "junction in", "sources below layer 1", "l2.1 of layer 2"),
        (lambda: with_junction(junction("idle", "l1.0")), "junction idle", "a slot, a tower or a gate", "none"),
        (lambda: with_junction(junction("to.a", "l2.0", "l2.0")), "junction to.a", "differ", "l2.0"),
        (lambda: junction("to.a"), "junction to.a", "at least one", "none"),
        (lambda: junction("to.a", "l2.0", min_inputs=2), "junction to.a", "min_inputs <= max_inputs", "min 2"),
        (lambda: junction("to.a", "l2.0", min_inputs=0), "junction to.a", "1 <= min_inputs", "min 0"),
        (lambda: junction("to.a", "l2.0", "l2.1", max_inputs=0), "junction to.a", "max_inputs", "max 0"),
        (
            lambda: junction("t", "p", max_inputs=1, edges=tuple(Edge(source=s, required=True) for s in "pq")),
            "junction t",
            "required edges within max_inputs",
            "2 required",
        ),
        (lambda: junction("t", "p", "q", gates=()), "junction t", "at least one of gates", "none"),
        (lambda: junction("t", "p", "q", gates=(GateKind.PASS,)), "junction t", "a gate that can mix", "pass"),
        (lambda: junction("t", "p", "q", gates=(GateKind.SUM,) * 2), "junction t", "gates that differ", "sum"),
        (lambda: junction("t", "p", "q", queries=()), "junction t", "a query", "none"),
        (lambda: junction("t", "p", "q", queries=("mean", "mean")), "junction t", "queries that differ", "mean"),
        (lambda: with_junction(junction("to.a", "l2.0", queries=("output",))), "junction to.a", "static", "'output'"),
        (
            lambda: with_junction(junction("to.a", "l2.0", queries=("junction:gone",))),
            "junction to.a",
            "junction:<name>",
            "'junction:gone'",
        ),
        (
            lambda: with_junction(junction("to.a", "l2.0", queries=("in",))),
            "junction to.a",
            "junction:<name>",
            "'in'",
        ),
        (
            lambda: with_junction(junction("to.l2.0", "l1.0", queries=("junction:to.a",))),
            "junction to.l2.0",
            "queries of junctions up to layer 2",
            "to.a of layer 3",
        ),
        (
            lambda: with_junction(
                junction("to.a", "l2.0", queries=("junction:to.b",)),
                junction("to.b", "l2.0", queries=("junction:to.a",)),
            ),
            "junction to.a",
            "do not query each other in a circle",
            "to.a",
        ),
        (lambda: Edge(source="p", states=()), "edge from p", "at least one of states", "none"),
        (lambda: Slot(name="s", layer=0, reads="in", choices=BLOCKS), "slot s", "layer >= 1", "0"),
        (lambda: Slot(name="s", layer=1, reads="in", choices=()), "slot s", "at least one of blocks", "none"),
        (lambda: Slot(name="s", layer=1, reads="in", choices=BLOCKS[:1] * 2), "slot s", "blocks that differ", "mlp"),
        (lambda: Slot(name="a b", layer=1, reads="in", choices=BLOCKS), "slots", "letters, digits", "'a b'"),
        (lambda: Slot(name="", layer=1, reads="in", choices=BLOCKS), "slots", "letters, digits", "''"),
        (lambda: junction("a:b", "x"), "junctions", "letters, digits", "'a:b'"),
        (lambda: Encoder(name="x+y"), "encoder", "letters, digits", "'x+y'"),
        (lambda: Tower(task="a", reads="r", hidden=(8, 0)), "tower of 'a'", "at least 1", "[8, 0]"),
        (lambda: Tower(task="a", reads="r", outputs=0), "tower of 'a'", "at least 1", "[0]"),
    ],
)
def test_bad_graph_is_refused_with_its_place(build: Any, where: str, expected: str, found: str) -> None:
    with pytest.raises(SpaceError) as caught:
        build()
    assert caught.value.where == where
    assert expected in caught.value.expected
    assert found in caught.value.found


@pytest.mark.parametrize("separator", [*"+~:;=()<>/, \n\t\"'", "<-", "; "])
def test_name_that_would_break_the_text_of_a_route_is_refused(separator: str) -> None:
    with pytest.raises(SpaceError, match="letters, digits"):
        Slot(name=f"a{separator}b", layer=1, reads="in", choices=BLOCKS)


@pytest.mark.parametrize("seed", range(20))
def test_widths_follow_from_the_inputs(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed))
    assert set(node_widths(graph, INPUTS.width).values()) == {WIDTH}


def test_sources_of_different_widths_are_refused() -> None:
    wide = replace(GRAPH.slots[0], choices=(replace(BLOCKS[0], widths=(WIDTH + 1,)),))
    with pytest.raises(SpaceError, match=r"junction to\.l2\.0: expected sources of one width, found .*'l1.0': 7"):
        replace(GRAPH, slots=(wide, *GRAPH.slots[1:]))


def test_blocks_of_different_widths_are_refused() -> None:
    choices = (BLOCKS[0], replace(BLOCKS[0], widths=(WIDTH + 1,)))
    with pytest.raises(SpaceError, match=r"slot l1\.0: expected blocks of one output width"):
        replace(GRAPH, slots=(replace(GRAPH.slots[0], choices=choices), *GRAPH.slots[1:]))


def test_width_of_an_identity_is_known_with_the_inputs_only() -> None:
    choices = (BLOCKS[0], BLOCKS[3])
    graph = replace(GRAPH, slots=(replace(GRAPH.slots[0], choices=choices), *GRAPH.slots[1:]))
    assert node_widths(graph, WIDTH)["l1.0"] == WIDTH
    with pytest.raises(SpaceError, match=r"slot l1\.0"):
        node_widths(graph, WIDTH + 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data | {"format": 2},
        lambda data: {key: value for key, value in data.items() if key != "format"},
        lambda data: {key: value for key, value in data.items() if key != "towers"},
        lambda data: data | {"slots": [{"name": "s"}]},
        lambda data: data | {"slots": 3},
        lambda data: data | {"junctions": [{**data["junctions"][0], "gates": ["best"]}]},
        lambda data: data | {"junctions": [{**data["junctions"][0], "edges": [{"source": "x", "states": ["off"]}]}]},
        lambda data: data | {"slots": [{**data["slots"][0], "choices": ["mlp(many)"]}]},
        lambda data: data | {"towers": [{**data["towers"][0], "hidden": ["8"]}]},
        lambda data: [data],
        lambda data: None,
        lambda data: "graph",
    ],
)
def test_json_that_is_no_graph_is_refused(spoil: Any) -> None:
    with pytest.raises(SpaceError):
        RouteGraph.from_json(spoil(GRAPH.to_json()))


def test_input_shape_counts_its_tables() -> None:
    assert INPUTS.width == (1 + 1 + 1) + 1 + 1 + 1
    assert INPUTS.num_params == 5 * 1 + 4 * 1 + (1 + 1 + 3) + 4 * 1
    assert InputShape(num_numeric=3).num_params == 0
