"""Which networks can be written as plain source; every other is refused by name, never exported half."""

from __future__ import annotations

from mtnas.errors import ExportError
from mtnas.routes import BlockKind, GateKind, Route, RouteGraph, narrow, reach
from mtnas.supernets import Supernet

BLOCKS = tuple(BlockKind)
GATES = tuple(GateKind)
PARTS = ("encoder", "more_encoders", "gates", "banks", "tower_groups", "alignment")


def check_exportable(graph: RouteGraph, route: Route, frozen: Supernet) -> None:
    """Make sure that the generated source has words for everything the network uses.

    Raises:
        ExportError: naming the block, gate or part of the network that it has none for.
    """
    reached, blocks = reach(graph, route), route.block_of()
    for slot in sorted(reached.slots):
        if blocks[slot].kind not in BLOCKS:
            raise _unknown(f"blocks among {_texts(BLOCKS)}", blocks[slot].text, f"slot {slot}")
    for junction in narrow(graph, route).junctions:
        gates = [gate for gate in junction.gates if gate not in GATES]
        if gates:
            raise _unknown(f"gates among {_texts(GATES)}", gates[0], f"junction {junction.name}")
    for name, part in frozen.named_children():
        if name not in PARTS and next(part.parameters(), None) is not None:
            raise _unknown(f"a network of {', '.join(PARTS)}", name, "frozen")


def _unknown(expected: str, found: str, where: str) -> ExportError:
    return ExportError(expected=f"{expected} (others cannot be exported yet)", found=found, where=where)


def _texts(kinds: tuple[BlockKind, ...] | tuple[GateKind, ...]) -> str:
    return ", ".join(str(kind) for kind in kinds)
