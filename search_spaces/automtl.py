"""AutoMTL: experts made of searched operations, and which experts every tower reads.

Source: Jiang et al., "Automatic Multi-Task Learning Framework with Neural Architecture Search in Recommendations"
(AutoMTL, DESAN), KDD 2024, https://doi.org/10.1145/3637528.3671715: an expert is a chain of mixed operations, each the
identity or a perceptron of some width, and gates choose the experts of a node; METHODS.md section 7. While searching,
an operation is sum_o softmax(alpha)_o o(x); a route keeps one o. Every perceptron ends in the common width, so that
operations fit one another; a chain begins with a linear map where the paper's first operation may be the identity.
Feature masks: with ``feature_parts``, the input is cut into so many equal parts (the paper masks single features), and
every expert chooses the parts that it reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.errors import SpaceError
from mtnas.routes import Block, BlockKind, Edge, Encoder, GateKind, Junction, RouteGraph, Slot, Tower
from mtnas.routes.building.layered import ENCODER, ENTRY, entry_junction, tower_junction
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
    feature_parts: int = 1,
    norm: bool = True,
) -> SearchSpace:
    """Chains of searched operations as experts, and a choice of experts per tower (AutoMTL).

    Args:
        towers: the tasks' towers.
        experts: chains side by side, at most 32.
        operations: operations of a chain, at most 8.
        hidden: hidden widths that a perceptron may have.
        width: units that every operation gives.
        feature_parts: parts of the input between which experts choose, at most 16; 1 gives every expert all of it.
        norm: whether perceptrons normalise their units.

    Raises:
        SpaceError: a number outside its range.
    """
    check_range("experts", experts, most=32)
    check_range("operations", operations, most=8)
    check_range("width", width, most=4096)
    check_range("feature_parts", feature_parts, most=16)
    if not hidden or min(hidden) < 1 or len(set(hidden)) != len(hidden):
        raise SpaceError(expected="positive widths that differ", found=str(hidden), where="space.options.hidden")
    perceptrons = tuple(Block(kind=BlockKind.MLP, widths=(size, width), norm=norm) for size in hidden)
    passing, entering = Block(kind=BlockKind.IDENTITY), Block(kind=BlockKind.LINEAR, widths=(width,))
    slots, junctions, tops = [], [entry_junction()], []
    masked = feature_parts > 1
    for expert in range(experts):
        below: tuple[str, ...] = ()
        if masked:
            parts = [Block(kind=BlockKind.PART, widths=(n + 1, feature_parts, width)) for n in range(feature_parts)]
            below = tuple(f"f{expert}.{n}" for n in range(feature_parts))
            slots += [
                Slot(name=name, layer=1, reads=ENTRY, choices=(part,)) for name, part in zip(below, parts, strict=True)
            ]
        for place in range(1, operations + 1):
            name, reads = f"e{expert}.{place}", f"to.e{expert}.{place}" if below else ENTRY
            if below:
                edges = tuple(Edge(source=source) for source in below)
                gate = GateKind.SUM if len(edges) > 1 else GateKind.PASS
                junctions.append(Junction(name=reads, edges=edges, gates=(gate,), queries=()))
            choices = (passing if below else entering, *perceptrons)
            slots.append(Slot(name=name, layer=place + masked, reads=reads, choices=choices))
            below = (name,)
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
