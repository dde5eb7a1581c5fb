"""Drawings: valid XML that shows every reachable node and edge, with any names."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtnas.routes import NAMED_ROUTES, GateKind, Tower, reach, to_svg
from mtnas.routes.schemes.by_name import Size
from tests.routes.random_graphs import random_graph, random_route

ALONE = NAMED_ROUTES["shared_bottom"]((Tower(task="a", reads=""),), Size())
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("seed", range(40))
def test_drawing_shows_every_reachable_node_and_edge(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    route = random_route(rng, graph)
    root = ElementTree.fromstring(to_svg(graph, route, title="a route"))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    reached, mixes = reach(graph, route), route.mix_of()
    for slot in graph.slots:
        assert texts.count(slot.name) == (slot.name in reached.slots)
    for encoder in graph.encoders:
        assert texts.count(f"encoder {encoder.name}") == (encoder.name in reached.encoders)
    assert set(graph.tasks) <= set(texts)
    assert texts[0] == "a route"
    readers = [s.reads for s in graph.slots if s.name in reached.slots] + [t.reads for t in graph.towers]
    paths = list(root.iter(f"{SVG}path"))
    assert len(paths) == sum(len(mixes[name].inputs) for name in readers)
    dashed = sum("stroke-dasharray" in path.attrib for path in paths)
    assert dashed == sum(len(mixes[name].forward_only) for name in readers)


@pytest.mark.parametrize("name", sorted(NAMED_ROUTES))
def test_named_routes_can_be_drawn(name: str) -> None:
    towers = tuple(Tower(task=f"task_{index}", reads="") for index in range(12))
    named = NAMED_ROUTES[name](towers, Size())
    root = ElementTree.fromstring(to_svg(named.graph, named.route))
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {tower.task for tower in towers} <= texts


@given(st.text(max_size=20), st.text(min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_any_title_and_task_give_valid_xml(title: str, task: str) -> None:
    graph = replace(ALONE.graph, towers=(replace(ALONE.graph.towers[0], task=task),))
    root = ElementTree.fromstring(to_svg(graph, ALONE.route, title=title).encode())
    allowed = task.replace("\r\n", "\n").replace("\r", "\n")
    texts = {element.text for element in root.iter(f"{SVG}text")}
    if allowed.isprintable():
        assert allowed in texts


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'x" onload="alert(1)', "&amp;", "a<b", "\x00bell\x07"])
def test_names_cannot_become_markup(name: str) -> None:
    graph = replace(ALONE.graph, towers=(replace(ALONE.graph.towers[0], task=name),))
    root = ElementTree.fromstring(to_svg(graph, ALONE.route, title=name))
    assert {element.tag for element in root.iter()} == {f"{SVG}{tag}" for tag in ("svg", "rect", "text", "path")}
    assert not any(key.startswith("on") for element in root.iter() for key in element.attrib)


def test_boxes_do_not_overlap() -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        graph = random_graph(rng, max_slots=4)
        root = ElementTree.fromstring(to_svg(graph, random_route(rng, graph)))
        boxes = [r.attrib for r in root.iter(f"{SVG}rect") if r.attrib.get("rx")]
        corners = {(float(box["x"]), float(box["y"])) for box in boxes}
        assert len(corners) == len(boxes)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        for box in boxes:
            assert 0 <= float(box["x"]) <= width - float(box["width"])
            assert 0 <= float(box["y"]) <= height - float(box["height"])


def test_tower_says_how_it_mixes() -> None:
    named = NAMED_ROUTES["mmoe"]((Tower(task="a", reads=""),), Size())
    texts = {e.text for e in ElementTree.fromstring(to_svg(named.graph, named.route)).iter(f"{SVG}text")}
    assert f"{GateKind.SOFTMAX}(input)" in texts
