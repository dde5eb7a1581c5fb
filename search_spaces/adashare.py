"""AdaShare: one network for all tasks, of which every task executes or skips each block.

Source: Sun et al., "AdaShare: Learning What To Share For Efficient Deep Multi-Task Learning", NeurIPS 2020,
https://arxiv.org/abs/1911.12423; METHODS.md section 7. A stream per task through tied slots; a slot is filled by its
block or by the identity: x_(l,t) = u_(l,t) F_l(x_(l-1,t)) + (1 - u_(l,t)) x_(l-1,t), u in {0, 1}. The policy's
Gumbel-softmax and its sparsity and sharing terms belong to the search.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes import Block, BlockKind, Tower
from mtnas.routes.building.streams import Manner, levels_of, stream_graph
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range

SKIP = Block(kind=BlockKind.IDENTITY)


def adashare_space(towers: Sequence[Tower], *, layers: int = 6, width: int = 64, norm: bool = True) -> SearchSpace:
    """Every task selects or skips each block of one shared network (AdaShare).

    Args:
        towers: the tasks' towers.
        layers: blocks above the first, which every task executes; at most 32.
        width: units of each block.
        norm: whether blocks normalise their units.

    Raises:
        SpaceError: a number outside its range.
    """
    check_range("layers", layers, most=32)
    check_range("width", width, most=4096)
    block = Block(kind=BlockKind.MLP, widths=(width,), norm=norm)
    levels = levels_of([((block, SKIP),)] * layers)
    return SearchSpace(name="adashare", graph=stream_graph(towers, levels, Manner(), stem=block))
