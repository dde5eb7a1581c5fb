"""Widths of a graph's nodes, which are the same for every route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mtnas.errors import SpaceError
from mtnas.routes.inputs import InputShape
from mtnas.routes.nodes import Encoder, Junction, Slot


class Wired(Protocol):
    """What of a graph its widths depend on."""

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """The inputs."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The sub-networks."""

    @property
    def junctions(self) -> tuple[Junction, ...]:
        """What slots and towers read."""

    def junction_of(self) -> Mapping[str, Junction]:
        """Junctions by name."""


def node_widths(graph: Wired, input_width: int | None) -> dict[str, int | None]:
    """Output width of every encoder, slot and junction; None where it follows from an unknown ``input_width``.

    Raises:
        SpaceError: sources of one junction, or blocks of one slot, differ in width.
    """
    widths: dict[str, int | None] = {encoder.name: input_width for encoder in graph.encoders}
    junctions = graph.junction_of()
    junction_widths: dict[str, int | None] = {}

    def of_junction(name: str) -> int | None:
        found = {source: widths[source] for source in junctions[name].sources}
        known = {width for width in found.values() if width is not None}
        if len(known) > 1:
            raise SpaceError(expected="sources of one width", found=str(found), where=f"junction {name}")
        width, steps = next(iter(known), None), junctions[name].steps
        if width is not None and width % steps:
            raise SpaceError(expected=f"sequences of {steps} steps", found=f"width {width}", where=f"junction {name}")
        return width

    for slot in sorted(graph.slots, key=lambda slot: slot.layer):
        in_width = of_junction(slot.reads)
        for block in slot.choices:
            if in_width is not None and block.reads_width not in (None, in_width):
                raise SpaceError(
                    expected=f"input width {block.reads_width}", found=str(in_width), where=f"slot {slot.name}"
                )
        outs = {b.text: in_width if b.fixed_width is None else b.fixed_width for b in slot.choices}
        known = {width for width in outs.values() if width is not None}
        if len(known) > 1:
            raise SpaceError(expected="blocks of one output width", found=str(outs), where=f"slot {slot.name}")
        widths[slot.name] = next(iter(known), None)
    for junction in graph.junctions:
        junction_widths[junction.name] = of_junction(junction.name)
    return widths | junction_widths


def least_inputs(graph: Wired) -> InputShape:
    """Inputs to cost a route with before the data is known: none, or as wide as the graph forces them to be.

    A width is forced where something of the input's width is mixed with, or may be exchanged for, something else.
    """
    widths = node_widths(graph, None)
    forced = [widths[j.name] for j in graph.junctions if any(widths[source] is None for source in j.sources)]
    for slot in graph.slots:
        if widths[slot.reads] is None:
            forced.extend(block.reads_width for block in slot.choices)
            forced.extend(widths[slot.name] for block in slot.choices if block.fixed_width is None)
    return InputShape(num_numeric=next((width for width in forced if width is not None), 0))
