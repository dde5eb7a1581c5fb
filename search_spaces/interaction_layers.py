"""Diverse interaction modules: sub-networks of several kinds side by side, and which of them every tower reads.

Source: Bi et al., "DTN: Deep Multiple Task-specific Feature Interactions Network for Multi-Task Recommendation", 2024,
https://arxiv.org/abs/2408.11611 (several interaction modules in one multi-task network); METHODS.md section
7. Modules: perceptron (of several widths, if asked), cross network (DCN-v2), mask block (MaskNet), factorisation
machine, and the identity, if asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes import Block, BlockKind, GateKind, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.nodes import INPUT_QUERY, MEAN_QUERY
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range, perceptrons


def interactions_space(
    towers: Sequence[Tower],
    *,
    layers: int = 2,
    subnets: int = 4,
    width: int = 64,
    widths: tuple[int, ...] = (),
    rank: int = 16,
    identity: bool = False,
    norm: bool = True,
) -> SearchSpace:
    """Sub-networks that may be perceptrons, cross networks, mask blocks or factorisation machines (DTN).

    Args:
        towers: the tasks' towers.
        layers: layers of sub-networks, at most 8.
        subnets: sub-networks per layer, at most 32.
        width: units that each gives.
        widths: hidden units that a perceptron may have, as searched blocks; without any it has no hidden layer.
        rank: rank of cross networks, and hidden units of masks.
        identity: whether sub-networks above the first layer may also hand on their input.
        norm: whether perceptrons and mask blocks normalise their units.

    Raises:
        SpaceError: a number outside its range.
    """
    check_range("layers", layers, most=8)
    check_range("subnets", subnets, most=32)
    check_range("width", width, most=4096)
    check_range("rank", rank, most=4096)
    reading_width = (
        *perceptrons(widths, width=width, norm=norm),
        Block(kind=BlockKind.MASK, widths=(rank, width), norm=norm),
        Block(kind=BlockKind.FACTORISATION_MACHINE, widths=(width,)),
    )
    keeping_width = (
        Block(kind=BlockKind.CROSS, widths=(rank,)),
        *((Block(kind=BlockKind.IDENTITY),) if identity else ()),
    )
    graph = layered_graph(
        towers,
        subnets=(subnets,) * layers,
        choices=reading_width,
        gates=(GateKind.SOFTMAX,),
        queries=(INPUT_QUERY, MEAN_QUERY),
        more_choices=keeping_width,
    )
    return SearchSpace(name="interactions", graph=graph)
