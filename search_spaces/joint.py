"""The joint space: which components a task uses, how they connect, and what their gates look at, chosen together.

Ours. It joins the task x component allocation of Gumbel-Matrix (https://arxiv.org/abs/1910.04915), the sub-network
connections of SNR (AAAI 2019) and the gate queries of MTNAS (https://arxiv.org/abs/2009.00387) in one space: a stream
per task through tied components, in which every component of a task, and its tower, chooses a subset of the task's
components below and the query of the softmax gate that mixes them. A job's ``constraints`` give the cost budget: a
component that two tasks use counts its parameters once and its products twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes import Block, BlockKind, GateKind, Tower
from mtnas.routes.building.streams import Manner, levels_of, stream_graph
from mtnas.routes.nodes import INPUT_QUERY, MEAN_QUERY, STATIC_QUERY
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range, check_some

QUERIES = (INPUT_QUERY, MEAN_QUERY, STATIC_QUERY)


def joint_space(
    towers: Sequence[Tower],
    *,
    layers: int = 2,
    components: int = 4,
    width: int = 64,
    queries: tuple[str, ...] = QUERIES,
    max_inputs: int = 4,
    norm: bool = True,
) -> SearchSpace:
    """Task-wise allocation of components, their connections and gate queries, searched together.

    Args:
        towers: the tasks' towers.
        layers: layers of components, at most 8.
        components: components per layer, at most 32.
        width: units of each component.
        queries: what gates may look at: ``input``, ``mean`` and ``static``.
        max_inputs: most components that one component or tower reads.
        norm: whether components normalise their units.

    Raises:
        SpaceError: a number outside its range, or an unknown query.
    """
    check_range("layers", layers, most=8)
    check_range("components", components, most=32)
    check_range("width", width, most=4096)
    check_range("max_inputs", max_inputs, most=32)
    check_some("queries", queries, QUERIES)
    block = Block(kind=BlockKind.MLP, widths=(width,), norm=norm)
    manner = Manner(
        gates=(GateKind.SOFTMAX,), queries=queries, max_inputs=min(max_inputs, components), own_junctions=True
    )
    graph = stream_graph(towers, levels_of([((block,),) * components] * layers), manner)
    return SearchSpace(name="joint", graph=graph)
