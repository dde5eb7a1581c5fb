"""What fronts and ranks cost: against comparing every pair of points, and against one sort of the same points.

A search of many trials ranks them again after every pack, so this must not grow with their square. Medians of
five interleaved rounds, in processor seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from benchmarks.publishing import publish
from mtnas.search.fronts.pareto import Points, front, ranks

ROUNDS = 5
FEW, MANY = 2_000, 50_000


def main() -> None:
    """Measure, and write ``results/fronts.{json,md}``."""
    rows = []
    for layout, make in (("normal", _normal), ("one long front", _one_front)):
        few, many = make(FEW), make(MANY)
        pairs, sort, one_front, one_rank, rank_of_few = _medians(
            lambda few=few: peeled_by_pairs(few),
            lambda many=many: np.lexsort(many.T),
            lambda many=many: front(many),
            lambda many=many: ranks(many),
            lambda few=few: ranks(few),
        )
        rows.append(
            {
                "points": layout,
                f"pairs / ranks, {FEW:,} points": round(pairs / rank_of_few),
                f"front / sort, {MANY:,} points": round(one_front / sort, 1),
                f"ranks / sort, {MANY:,} points": round(one_rank / sort, 1),
            }
        )
    publish(
        "fronts",
        title="Fronts and ranks of two objectives",
        reading="Ratios of processor seconds: comparing all pairs over ranking; ranking over one sort.",
        facts={"rounds": ROUNDS},
        rows=rows,
    )


def peeled_by_pairs(points: Points) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Ranks by comparing every pair, front after front: the plain way."""
    as_good = (points[:, None] >= points[None]).all(axis=2)
    dominates = as_good & ~as_good.T
    rank = np.full(len(points), -1)
    left = np.ones(len(points), dtype=bool)
    while left.any():
        best = left & ~dominates[left].any(axis=0)
        rank[best] = rank.max() + 1
        left &= ~best
    return rank


def _medians(*functions: Callable[[], object]) -> list[float]:
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, taken in zip(functions, seconds, strict=True):
            begun = time.process_time()
            function()
            taken.append(time.process_time() - begun)
    return [median(taken) for taken in seconds]


def _normal(count: int) -> Points:
    return np.random.default_rng(0).normal(size=(count, 2))


def _one_front(count: int) -> Points:
    points = _normal(count)
    points[:, 1] = -points[:, 0]
    return points


if __name__ == "__main__":
    main()
