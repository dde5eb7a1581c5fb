"""The generated module's ``__init__``: one attribute per embedding, block, gate and tower."""

from __future__ import annotations

from itertools import pairwise

from mtnas.export.source.block_source import layers_of
from mtnas.export.source.encoder_source import encoder_attributes
from mtnas.export.source.expressions import Wiring
from mtnas.export.source.gate_source import attribute, sees_rows
from mtnas.export.source.names import listed
from mtnas.export.source.naming import weights_key
from mtnas.export.source.source_lines import INDENT, call, comment
from mtnas.routes import Junction, Slot, Tower


def constructor(wiring: Wiring) -> list[str]:
    """Lines of ``__init__``, indented as a method."""
    lines = [f"{INDENT}def __init__(self) -> None:", f"{INDENT * 2}super().__init__()", *encoder_attributes(wiring)]
    lines += _alignments(wiring)
    written: set[str] = set()
    for number, nodes in wiring.layers:
        part: list[str] = []
        for node in nodes:
            part += _gate(wiring, node) if isinstance(node, Junction) else _block(wiring, node, written)
        lines += [*comment(f"Layer {number}", depth=2), *part] if part else []
    lines += comment("Towers", depth=2)
    for junction in wiring.last:
        lines += _gate(wiring, junction)
    for tower in wiring.graph.towers:
        lines += _tower(wiring, tower)
    return lines


def _alignments(wiring: Wiring) -> list[str]:
    width = str(wiring.schema.inputs.width)
    lines: list[str] = []
    for task, name in wiring.naming.alignments.items():
        arguments = [width, width, "bias=False"]
        lines += call(f"self.{name} = nn.Linear(", arguments, ")", depth=2, note=f"inputs as task {task} reads them")
    return [*comment("Alignments", depth=2), *lines] if lines else []


def _block(wiring: Wiring, slot: Slot, written: set[str]) -> list[str]:
    block, in_width = wiring.blocks[slot.name], wiring.widths[slot.reads]
    name = wiring.naming.blocks[weights_key(slot, block, in_width)]
    if not block.widths or name in written:
        return []
    written.add(name)
    users = wiring.users[slot.name]
    note = "for every task" if len(users) == len(wiring.tasks) > 1 else f"for {listed(users)}"
    return call(f"self.{name} = nn.Sequential(", layers_of(block, in_width), ")", depth=2, note=note)


def _gate(wiring: Wiring, junction: Junction) -> list[str]:
    mix, lines = wiring.mixes[junction.name], list[str]()
    width = wiring.widths[junction.name]
    for source in mix.inputs:
        matrix = wiring.naming.transforms.get((junction.name, source))
        if matrix is not None:
            arguments, note = [str(width), str(width), "bias=False"], f"on the way of {wiring.outputs[source]}"
            lines += call(f"self.{matrix} = nn.Linear(", arguments, ")", depth=2, note=note)
    if junction.name not in wiring.naming.gates:
        return lines
    steps = junction.steps if sees_rows(mix) else 1
    query_width = wiring.query_width(junction.name) // steps
    found = attribute(junction, mix, query_width=query_width, width=width // steps, settings=wiring.settings)
    start, _, rest = found.partition("(")
    note = f"weighs {listed(wiring.outputs[source] for source in mix.inputs)}"
    begin = f"self.{wiring.naming.gates[junction.name]} = {start}("
    return [*lines, *call(begin, [rest.removesuffix(")")], ")", depth=2, note=note)]


def _tower(wiring: Wiring, tower: Tower) -> list[str]:
    start = f"self.{wiring.naming.towers[tower.task]} = nn."
    widths = (wiring.widths[tower.reads], *tower.hidden, tower.outputs)
    if not tower.hidden:
        return call(f"{start}Linear(", [str(width) for width in widths], ")", depth=2)
    layers = [part for a, b in pairwise(widths) for part in (f"nn.Linear({a}, {b})", "nn.ReLU()")]
    return call(f"{start}Sequential(", layers[:-1], ")", depth=2)
