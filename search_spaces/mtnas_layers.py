"""The layered space of MTNAS: every sub-network and tower chooses a subset of the layer below and a gate query.

Source: "Boosting Share Routing for Multi-task Learning" (Chen et al., WWW 2021, https://arxiv.org/abs/2009.00387),
section 3; METHODS.md section 1. A search block before every sub-network of layers 2..L and before every tower chooses
a local sharing route (a non-empty subset S of the layer below) and the query q of the softmax gate that mixes it:
u_i = sum_(j in S) softmax(W_(i,q) q)_j f_j, over the members of S alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.errors import SpaceError
from mtnas.routes import GateKind, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.nodes import INPUT_QUERY, MEAN_QUERY, STATIC_QUERY
from mtnas.spaces import SearchSpace
from search_spaces.options import perceptrons

QUERIES = (INPUT_QUERY, MEAN_QUERY, STATIC_QUERY)
MOST_SUBNETS = 32
MOST_LAYERS = 8


def mtnas_space(
    towers: Sequence[Tower],
    *,
    layers: int = 2,
    subnets: int = 4,
    width: int = 64,
    widths: tuple[int, ...] = (),
    queries: tuple[str, ...] = QUERIES,
    norm: bool = True,
) -> SearchSpace:
    """Sparse routes through layers of equal sub-networks, with searched gate queries (MTNAS).

    Args:
        towers: the tasks' towers.
        layers: layers of sub-networks, at most 8.
        subnets: sub-networks per layer, at most 32.
        width: units of each sub-network.
        widths: hidden units that a sub-network may have, as searched blocks; without any it has no hidden layer.
        queries: what gates may look at: ``input``, ``mean`` and ``static``.
        norm: whether sub-networks normalise their units.

    Raises:
        SpaceError: a number outside its range, or an unknown query.
    """
    for name, value, most in (
        ("layers", layers, MOST_LAYERS),
        ("subnets", subnets, MOST_SUBNETS),
        ("width", width, 4096),
    ):
        if not 1 <= value <= most:
            raise SpaceError(expected=f"1 to {most}", found=str(value), where=f"space.options.{name}")
    if not queries or not set(queries) <= set(QUERIES):
        raise SpaceError(expected=f"some of {list(QUERIES)}", found=str(list(queries)), where="space.options.queries")
    graph = layered_graph(
        towers,
        subnets=(subnets,) * layers,
        choices=perceptrons(widths, width=width, norm=norm),
        gates=(GateKind.SOFTMAX,),
        queries=queries,
    )
    return SearchSpace(name="mtnas", graph=graph)
