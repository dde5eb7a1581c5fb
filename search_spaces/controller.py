"""Controllers that open one expert per example, of experts that the search allows each task.

Source: Jaszczur et al., "Sparse is Enough in Scaling Transformers", NeurIPS 2021, https://arxiv.org/abs/2111.12763,
section 3.1, where one unit of every block of a feed-forward layer is computed per token; METHODS.md section 7. A
controller's logits are a low-rank map of its query, (query C1) C2; training adds Gumbel noise, and picks one expert in
some of the steps and weighs all in the others, with the gradient of the softmax in both (``Settings.gate``:
``controller_noise``, ``hard_passes``). Here a block is a tower's experts. What is searched: which experts a tower's
controller may choose among, and what it looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtnas.routes import Block, BlockKind, GateKind, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.nodes import INPUT_QUERY, MEAN_QUERY
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range

QUERIES = (INPUT_QUERY, MEAN_QUERY)


def controller_space(
    towers: Sequence[Tower],
    *,
    experts: int = 8,
    layers: int = 2,
    width: int = 64,
    rank: int = 4,
    norm: bool = True,
) -> SearchSpace:
    """One expert per example and task, opened by a low-rank controller ("Sparse is Enough").

    Args:
        towers: the tasks' towers.
        experts: experts side by side, at most 64.
        layers: layers of every expert, at most 8.
        width: units of each layer.
        rank: rank of the controllers' maps, at most 256.
        norm: whether experts normalise their units.

    Raises:
        SpaceError: a number outside its range.
    """
    check_range("experts", experts, most=64)
    check_range("layers", layers, most=8)
    check_range("width", width, most=4096)
    check_range("rank", rank, most=256)
    graph = layered_graph(
        towers,
        subnets=(experts,),
        choices=(Block(kind=BlockKind.MLP, widths=(width,) * layers, norm=norm),),
        gates=(GateKind.CONTROLLER,),
        queries=QUERIES,
    )
    ranked = tuple(replace(junction, rank=rank) for junction in graph.junctions)
    return SearchSpace(name="controller", graph=replace(graph, junctions=ranked))
