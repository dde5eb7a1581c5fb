"""Branching: trees of sub-networks in which every node has exactly one parent.

Sources: Guo et al., "Learning to Branch for Multi-Task Learning", ICML 2020, https://arxiv.org/abs/2006.01895 (every
child samples one parent by Gumbel-softmax); Bruggemann et al., "Automated Search for Resource-Efficient Branched
Multi-Task Networks" (BMTAS), BMVC 2020, https://arxiv.org/abs/2008.10292 (an expected-cost term, which is
``search.cost`` of search ``branching``). METHODS.md section 7. Node i of layer l reads one node of the layer below:
u_(l,i) = sum_j z_(i,j) f_j(u_(l-1,j)), z_i one-hot.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes import GateKind, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range, perceptrons


def branching_space(
    towers: Sequence[Tower],
    *,
    layers: int = 3,
    subnets: int = 4,
    width: int = 64,
    widths: tuple[int, ...] = (),
    norm: bool = True,
) -> SearchSpace:
    """Every sub-network and tower reads one sub-network of the layer below (Learning to Branch, BMTAS).

    Args:
        towers: the tasks' towers.
        layers: layers of sub-networks, at most 16.
        subnets: sub-networks per layer, at most 32.
        width: units of each sub-network.
        widths: hidden units that a sub-network may have, as searched blocks; without any it has no hidden layer.
        norm: whether sub-networks normalise their units.

    Raises:
        SpaceError: a number outside its range.
    """
    check_range("layers", layers, most=16)
    check_range("subnets", subnets, most=32)
    check_range("width", width, most=4096)
    graph = layered_graph(
        towers,
        subnets=(subnets,) * layers,
        choices=perceptrons(widths, width=width, norm=norm),
        gates=(GateKind.PASS,),
        queries=(),
        max_inputs=1,
    )
    return SearchSpace(name="branching", graph=graph)
