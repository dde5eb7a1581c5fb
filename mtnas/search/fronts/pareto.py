"""Fronts of points: which are non-dominated, their ranks, how crowded they lie, the best order.

Points are ``[N, M]``: N points, M objectives, **larger is better** (``Objective.signed`` turns the signs). A point
dominates another that it equals or beats on every objective and beats on at least one; equal points do not dominate
each other. A point with NaN or an infinity stands for a failed trial: it is on no front and comes last.

Everything sorts first: naive fronts of 50,000 points take minutes, these milliseconds.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from mtnas.errors import SpecError

Points = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]


def front(points: Points) -> Mask:
    """Which points are on the front: finite and not dominated. ``[N]``.

    Raises:
        SpecError: the points are not a matrix with at least one objective.
    """
    finite, unique, copy_of = _distinct(points)
    on_front = np.zeros(len(points), dtype=bool)
    on_front[finite] = _front_of_sorted(unique)[copy_of]
    return on_front


def ranks(points: Points) -> Indices:
    """The front each point belongs to when fronts are peeled off one after another: 0 is the best. ``[N]``.

    Points that are not finite share the rank after the last.

    Raises:
        SpecError: the points are not a matrix with at least one objective.
    """
    finite, unique, copy_of = _distinct(points)
    found = _ranks_of_two(unique) if unique.shape[1] == 2 else _ranks_by_peeling(unique)
    last = int(found.max(initial=-1)) + 1
    result = np.full(len(points), last, dtype=np.intp)
    result[finite] = found[copy_of]
    return result


def crowding(points: Points) -> NDArray[np.float64]:
    """Crowding distance of the points of one front: the larger, the lonelier; ends of the front are infinite. ``[N]``.

    Source: NSGA-II (Deb et al., 2002, https://doi.org/10.1109/4235.996017), section III-B.
    """
    num_points = len(points)
    distance = np.zeros(num_points)
    for column in points.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]] if num_points else 0.0
        if span > 0:
            distance[order[[0, -1]]] = np.inf
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return distance


def best_first(points: Points) -> Indices:
    """Indices of the points from best to worst: by rank, then the less crowded, then the earlier. ``[N]``.

    With one objective this is the order of its values; points that are not finite come last.
    """
    rank = ranks(points)
    lonely = np.zeros(len(points))
    for level in range(int(rank.max(initial=-1)) + 1):
        members = np.flatnonzero(rank == level)
        if np.isfinite(points[members]).all():
            lonely[members] = crowding(points[members])
    return np.lexsort((np.arange(len(points)), -lonely, rank))


def _distinct(points: Points) -> tuple[Mask, Points, Indices]:
    """Which points are finite, the distinct ones of them best first objective first, and each one's place there."""
    if points.ndim != 2 or points.shape[1] < 1:
        raise SpecError(expected="points [N, M] with M >= 1", found=f"shape {points.shape}", where="front")
    finite: Mask = np.asarray(np.isfinite(points).all(axis=1), dtype=np.bool_)
    kept = points[finite]
    order = np.lexsort(-kept.T[::-1])
    ordered = kept[order]
    is_new = np.ones(len(ordered), dtype=bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    copy_of = np.empty(len(kept), dtype=np.intp)
    copy_of[order] = np.cumsum(is_new) - 1
    return finite, ordered[is_new], copy_of


def _front_of_sorted(points: Points) -> Mask:
    """The front of distinct points in lexicographic order, best first: no point dominates an earlier one."""
    if points.shape[1] <= 2 and len(points):
        second = points[:, -1] if points.shape[1] == 2 else np.zeros(len(points))
        return np.concatenate([[True], second[1:] > np.maximum.accumulate(second)[:-1]])
    on_front = np.zeros(len(points), dtype=bool)
    left = np.arange(len(points))
    while len(left):
        on_front[left[0]] = True
        left = left[(points[left] > points[left[0]]).any(axis=1)]
    return on_front


def _ranks_of_two(points: Points) -> Indices:
    """Ranks of distinct sorted points of two objectives in O(N log N), like piles of a patience sort."""
    rank = np.empty(len(points), dtype=np.intp)
    best_of_front: list[float] = []  # the lowest negated second objective of each front, ascending
    for index, value in enumerate((-points[:, 1]).tolist()):
        level = bisect_right(best_of_front, value)
        if level == len(best_of_front):
            best_of_front.append(value)
        else:
            best_of_front[level] = value
        rank[index] = level
    return rank


def _ranks_by_peeling(points: Points) -> Indices:
    """Ranks of distinct sorted points of any number of objectives."""
    rank = np.empty(len(points), dtype=np.intp)
    left = np.arange(len(points))
    level = 0
    while len(left):
        on_front = _front_of_sorted(points[left])
        rank[left[on_front]] = level
        left = left[~on_front]
        level += 1
    return rank
