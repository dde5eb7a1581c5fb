"""A route as a picture: layers from left to right, edges coloured by the tasks that depend on them. SVG as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from mtnas.routes.graph import RouteGraph
from mtnas.routes.reach import reach, task_path
from mtnas.routes.route import Route

PALETTE = ("#4C78A8", "#F58518", "#54A24B", "#B279A2", "#E45756", "#72B7B2", "#9D755D", "#EECA3B")
SHARED = "#444444"
FREE, FROZEN = "white", "#E8EEF4"
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
BOX_WIDTH, BOX_HEIGHT, COLUMN, ROW, MARGIN = 132, 40, 230, 64, 28


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    column: int
    title: str
    note: str
    users: tuple[int, ...]
    frozen: bool


def to_svg(graph: RouteGraph, route: Route, *, title: str = "") -> str:
    """Draw the reachable part of a route.

    A box takes a task's colour when only that task uses it, and grey when several do; the bars under a box's title
    name its users. Boxes of frozen nodes are tinted. Dashed edges are forward-only. A tower's note says how its
    inputs are mixed.
    """
    boxes, edges = _layout(graph, route)
    columns = max(box.column for box in boxes.values()) + 1
    rows: dict[int, list[str]] = {}
    for name, box in boxes.items():
        rows.setdefault(box.column, []).append(name)
    tallest = max(len(names) for names in rows.values())
    top = MARGIN + (26 if title else 0)
    height = top + tallest * ROW + MARGIN
    place = {}
    for column, names in rows.items():
        offset = top + (tallest - len(names)) * ROW / 2
        for row, name in enumerate(names):
            place[name] = (MARGIN + column * COLUMN, offset + row * ROW)
    width = MARGIN * 2 + (columns - 1) * COLUMN + BOX_WIDTH
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    if title:
        parts.append(f'<text x="{MARGIN}" y="{MARGIN}" font-size="15" font-weight="600">{_text(title)}</text>')
    for source, target, users, forward_only in edges:
        parts.append(_draw_edge(place[source], place[target], users, forward_only=forward_only))
    parts.extend(_draw_box(place[name], box) for name, box in boxes.items())
    return "\n".join((*parts, "</svg>"))


def _layout(graph: RouteGraph, route: Route) -> tuple[dict[str, _Box], list[tuple[str, str, tuple[int, ...], bool]]]:
    reached, mixes, blocks = reach(graph, route), route.mix_of(), route.block_of()
    paths = [task_path(graph, route, task) for task in graph.tasks]

    def users(name: str) -> tuple[int, ...]:
        return tuple(i for i, path in enumerate(paths) if name in path.slots | path.encoders | path.junctions)

    boxes = {
        encoder.name: _Box(
            column=0, title=f"encoder {encoder.name}", note="", users=users(encoder.name), frozen=encoder.frozen
        )
        for encoder in graph.encoders
        if encoder.name in reached.encoders
    }
    edges: list[tuple[str, str, tuple[int, ...], bool]] = []
    for slot in graph.slots:
        if slot.name in reached.slots:
            note = blocks[slot.name].text
            boxes[slot.name] = _Box(
                column=slot.layer, title=slot.name, note=note, users=users(slot.name), frozen=slot.frozen
            )
            edges.extend(
                (source, slot.name, users(slot.name), source in mixes[slot.reads].forward_only)
                for source in mixes[slot.reads].inputs
            )
    for index, tower in enumerate(graph.towers):
        mix, name = mixes[tower.reads], f"tower {tower.task}"
        how = str(mix.gate) + (f"({mix.query})" if mix.gate.takes_query else "")
        column = graph.num_layers + 1
        boxes[name] = _Box(column=column, title=tower.task, note=how, users=(index,), frozen=tower.frozen)
        edges.extend((source, name, (index,), source in mix.forward_only) for source in mix.inputs)
    return boxes, edges


def _text(text: str) -> str:
    """Text for XML: markup escaped, and a mark in place of what XML 1.0 cannot hold at all."""
    return escape(NOT_IN_XML.sub("\ufffd", text))


def _colour(users: tuple[int, ...]) -> str:
    return PALETTE[users[0] % len(PALETTE)] if len(users) == 1 else SHARED


def _draw_edge(
    start: tuple[float, float], end: tuple[float, float], users: tuple[int, ...], *, forward_only: bool
) -> str:
    x0, y0 = start[0] + BOX_WIDTH, start[1] + BOX_HEIGHT / 2
    x1, y1 = end[0], end[1] + BOX_HEIGHT / 2
    middle = (x0 + x1) / 2
    dash = ' stroke-dasharray="5 4"' if forward_only else ""
    return (
        f'<path d="M{x0} {y0} C{middle} {y0} {middle} {y1} {x1} {y1}" fill="none" stroke="{_colour(users)}" '
        f'stroke-width="1.6" stroke-opacity="0.75"{dash}/>'
    )


def _draw_box(at: tuple[float, float], box: _Box) -> str:
    x, y = at
    colour, fill = _colour(box.users), FROZEN if box.frozen else FREE
    bars = "".join(
        f'<rect x="{x + 8 + 14 * i}" y="{y + BOX_HEIGHT - 6}" width="12" height="3" fill="{_colour((user,))}"/>'
        for i, user in enumerate(box.users[:8])
    )
    return (
        f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" fill="{fill}" stroke="{colour}" '
        f'stroke-width="1.8"/><text x="{x + 8}" y="{y + 16}" font-weight="600" fill="{colour}">{_text(box.title)}'
        f'</text><text x="{x + 8}" y="{y + 30}" fill="#666" font-size="10">{_text(box.note)}</text>{bars}'
    )
