"""DSelect-k: every tower reads at most k of the experts.

Source: Hazimeh et al., "DSelect-k: Differentiable Selection in the Mixture of Experts", NeurIPS 2021,
https://arxiv.org/abs/2106.03760; METHODS.md section 6: q = sum_(s <= k) softmax(w)_s r(z_s), with r the smooth-step
code of an expert; static or per example. A route is the choice of experts. Search ``dselect_k`` learns it by DSelect-k
gates over all experts; the named route ``dselect_k`` trains such gates as a baseline.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes import Block, BlockKind, GateKind, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.nodes import INPUT_QUERY
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range


def dselect_k_space(
    towers: Sequence[Tower],
    *,
    experts: int = 8,
    k: int = 2,
    layers: int = 2,
    width: int = 64,
    per_example: bool = False,
    norm: bool = True,
) -> SearchSpace:
    """At most k experts per tower, with values that are free numbers or depend on the example (DSelect-k).

    Args:
        towers: the tasks' towers.
        experts: experts side by side, at most 64.
        k: most experts that a tower reads.
        layers: layers of every expert, at most 8.
        width: units of each layer.
        per_example: whether a softmax of the input weighs the chosen experts, or numbers that are the same for all.
        norm: whether experts normalise their units.

    Raises:
        SpaceError: a number outside its range.
    """
    check_range("experts", experts, most=64)
    check_range("k", k, most=experts)
    check_range("layers", layers, most=8)
    check_range("width", width, most=4096)
    graph = layered_graph(
        towers,
        subnets=(experts,),
        choices=(Block(kind=BlockKind.MLP, widths=(width,) * layers, norm=norm),),
        gates=(GateKind.SOFTMAX if per_example else GateKind.FREE,),
        queries=(INPUT_QUERY,) if per_example else (),
        max_inputs=k,
    )
    return SearchSpace(name="dselect_k", graph=graph)
