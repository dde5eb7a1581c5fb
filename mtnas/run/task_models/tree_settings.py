"""What boosted trees are tuned over (PROTOCOL.md point 3): a list of settings, best guesses first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSettings:
    """How a forest grows; the number of trees is found by early stopping.

    Attributes:
        lr: learning rate.
        leaves: leaves of a tree at most.
        min_leaf: rows of a leaf at least.
        columns: share of the columns that a split may choose from.
        l2: penalty on the leaves' values.
    """

    lr: float = 0.1
    leaves: int = 31
    min_leaf: int = 20
    columns: float = 1.0
    l2: float = 0.0


# Small trees that see few columns at a time were best on Census Income and on flights; the library's own settings
# are good where there are many rows.
FIRST = (
    TreeSettings(lr=0.05, leaves=8, min_leaf=20, columns=0.3, l2=5.0),
    TreeSettings(),
    TreeSettings(lr=0.05, leaves=31, min_leaf=20, columns=0.3, l2=5.0),
)


def tree_settings(count: int) -> tuple[TreeSettings, ...]:
    """So many settings, the same for every job: the first guesses, then draws around them.

    Learning rates from .02 to .15, 4 to 64 leaves of 5 to 100 rows, .15 to 1 of the columns, penalties from .1 to 20:
    each but the columns on a logarithmic scale.
    """
    rng = np.random.default_rng(0)

    def drawn(low: float, high: float) -> float:
        return math.exp(rng.uniform(math.log(low), math.log(high)))

    more = [
        TreeSettings(
            lr=round(drawn(0.02, 0.15), 4),
            leaves=round(drawn(4, 64)),
            min_leaf=round(drawn(5, 100)),
            columns=round(rng.uniform(0.15, 1), 3),
            l2=round(drawn(0.1, 20), 3),
        )
        for _ in range(count - len(FIRST))
    ]
    return (*FIRST[:count], *more)
