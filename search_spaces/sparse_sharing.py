"""Sparse Sharing: one over-sized base network, of which every task uses its own, overlapping part.

Source: Sun et al., "Learning Sparse Sharing Architectures for Multiple Tasks", AAAI 2020,
https://arxiv.org/abs/1911.05034; METHODS.md section 7. A layer's hidden units come in groups, and a task's mask keeps
some of them; a group is a perceptron from the layer's input to its output, and the groups that are kept add up, which
is a layer of all their units: h_t = sum_g m_(t,g) f_g(x_t), m in {0, 1}. The paper masks single weights, which no
device runs faster; a group of one unit comes close. Masks come from the search ``sparse_sharing``, by iterative
magnitude pruning, or from any other search.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes import Block, BlockKind, GateKind, Tower
from mtnas.routes.building.streams import Manner, levels_of, stream_graph
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range


def sparse_sharing_space(
    towers: Sequence[Tower],
    *,
    layers: int = 2,
    groups: int = 8,
    units: int = 16,
    width: int = 64,
    norm: bool = True,
) -> SearchSpace:
    """Every task keeps some groups of hidden units of each layer of one base network (Sparse Sharing).

    Args:
        towers: the tasks' towers.
        layers: layers with masks, at most 16.
        groups: groups of hidden units per layer, at most 64.
        units: hidden units of a group.
        width: units that a layer gives.
        norm: whether groups normalise their units.

    Raises:
        SpaceError: a number outside its range.
    """
    check_range("layers", layers, most=16)
    check_range("groups", groups, most=64)
    check_range("units", units, most=4096)
    check_range("width", width, most=4096)
    block = Block(kind=BlockKind.MLP, widths=(units, width), norm=norm)
    graph = stream_graph(towers, levels_of([((block,),) * groups] * layers), Manner(gates=(GateKind.SUM,)))
    return SearchSpace(name="sparse_sharing", graph=graph)
