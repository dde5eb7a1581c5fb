"""Compositional models: one pool of blocks that every task puts together in its own order and depth.

Source: Meyerson and Miikkulainen, "Beyond Shared Hierarchies: Deep Multitask Learning through Soft Layer Ordering",
ICLR 2018, https://arxiv.org/abs/1711.00108: y_d = sum_j s_(t,j,d) W_j(y_(d-1)), with s a softmax of free
logits per task and depth; METHODS.md section 7. The pool's weights are the same at every depth (tied slots).
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes import Block, BlockKind, GateKind, Tower
from mtnas.routes.building.streams import Manner, levels_of, stream_graph
from mtnas.routes.nodes import STATIC_QUERY
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range


def compositional_space(
    towers: Sequence[Tower],
    *,
    depth: int = 3,
    pool: int = 4,
    width: int = 64,
    identity: bool = True,
    norm: bool = True,
) -> SearchSpace:
    """At every depth each task mixes some blocks of one pool (soft layer ordering).

    Args:
        towers: the tasks' towers.
        depth: how often a task passes the pool, at most 16.
        pool: blocks in the pool, at most 32.
        width: units of each block.
        identity: whether the pool also holds a way past the blocks.
        norm: whether blocks normalise their units.

    Raises:
        SpaceError: a number outside its range.
    """
    check_range("depth", depth, most=16)
    check_range("pool", pool, most=32)
    check_range("width", width, most=4096)
    block = Block(kind=BlockKind.MLP, widths=(width,), norm=norm)
    skip = ((Block(kind=BlockKind.IDENTITY),),) if identity else ()
    levels = levels_of([(*((block,),) * pool, *skip)] * depth, pool=True)
    manner = Manner(gates=(GateKind.SOFTMAX,), queries=(STATIC_QUERY,))
    return SearchSpace(name="compositional", graph=stream_graph(towers, levels, manner, stem=block))
