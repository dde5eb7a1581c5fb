"""AutoMTL: experts made of searched operations, and which experts every tower reads.

Source: "Automatic Multi-Task Learning Framework with Neural Architecture Search in Recommendations"
(AutoMTL, DESAN), KDD 2024: an expert is a chain of mixed
operations, each the identity or a perceptron of some width, and gates choose the experts of a node; METHODS.md section
7. Every perceptron ends in the common width, so that operations fit one another; a chain begins with a linear map
where the paper's first operation may be the identity. The feature masks per expert are left out: an encoder is one
node.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.errors import SpaceError
from mtnas.routes import Block, BlockKind, Edge, Encoder, GateKind, Junction, RouteGraph, Slot, Tower
from mtnas.routes.layered import ENCODER, ENTRY, entry_junction, tower_junction
from mtnas.routes.nodes import INPUT_QUERY
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range


def automtl_space(
    towers: Sequence[Tower],
    *,
    experts: int = 4,
    operations: int = 3,
    hidden: tuple[int, ...] = (16, 64, 256),
    width: int = 64,
    norm: bool = True,
) -> SearchSpace:
    """Chains of searched operations as experts, and a choice of experts per tower (AutoMTL).

    Args:
        towers: the tasks' towers.
        experts: chains side by side, at most 32.
        operations: operations of a chain, at most 8.
        hidden: hidden widths that a perceptron may have.
        width: units that every operation gives.
        norm: whether perceptrons normalise their units.

    Raises:
        SpaceError: a number outside its range.
    """
    check_range("experts", experts, most=32)
    check_range("operations", operations, most=8)
    check_range("width", width, most=4096)
    if not hidden or min(hidden) < 1 or len(set(hidden)) != len(hidden):
        raise SpaceError(expected="positive widths that differ", found=str(hidden), where="space.options.hidden")
    perceptrons = tuple(Block(kind=BlockKind.MLP, widths=(size, width), norm=norm) for size in hidden)
    slots, junctions, tops = [], [entry_junction()], []
    for expert in range(experts):
        for place in range(1, operations + 1):
            name, reads = f"e{expert}.{place}", ENTRY if place == 1 else f"to.e{expert}.{place}"
            first = Block(kind=BlockKind.LINEAR, widths=(width,)) if place == 1 else Block(kind=BlockKind.IDENTITY)
            slots.append(Slot(name=name, layer=place, reads=reads, choices=(first, *perceptrons)))
            if place > 1:
                below = (Edge(source=f"e{expert}.{place - 1}"),)
                junctions.append(Junction(name=reads, edges=below, gates=(GateKind.PASS,), queries=()))
        tops.append(Edge(source=f"e{expert}.{operations}"))
    junctions += [Junction(name=tower_junction(t.task), edges=tuple(tops), queries=(INPUT_QUERY,)) for t in towers]
    graph = RouteGraph(
        encoders=(Encoder(name=ENCODER),),
        slots=tuple(slots),
        junctions=tuple(junctions),
        towers=tuple(
            Tower(task=t.task, reads=tower_junction(t.task), hidden=t.hidden, outputs=t.outputs) for t in towers
        ),
    )
    return SearchSpace(name="automtl", graph=graph)
