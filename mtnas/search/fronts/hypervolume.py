"""Hypervolume: how much of the objective space a set of points dominates, exactly, for any number of objectives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtnas.errors import SpecError
from mtnas.search.fronts.pareto import Mask, Points, front


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the front of some points covers beyond a reference.

    Attributes:
        reference: the reference point; larger is better.
        of_all: hypervolume of all points.
        of_baselines: hypervolume of the baselines alone.
    """

    reference: tuple[float, ...]
    of_all: float
    of_baselines: float


def coverage(points: Points, *, is_baseline: Mask) -> Coverage | None:
    """Hypervolume against the worst value of every objective among the baselines, a point no search has a say in.

    None with fewer than two objectives, or without a baseline that has all figures. The volume is in the product of
    the objectives' units: it compares fronts with one reference, such as those of one job.

    Args:
        points: ``[N, M]``, larger is better.
        is_baseline: bool ``[N]``.
    """
    known = points[is_baseline & np.isfinite(points).all(axis=1)]
    if points.shape[1] < 2 or not len(known):
        return None
    reference = known.min(axis=0)
    return Coverage(
        reference=tuple(reference.tolist()),
        of_all=hypervolume(points, reference),
        of_baselines=hypervolume(known, reference),
    )


def hypervolume(points: Points, reference: Points) -> float:
    """Volume between the reference point and the union of the boxes that the points dominate; 0 without any.

    Larger is better everywhere, as in ``mtnas.search.fronts.pareto``. Points that are not finite, or do not beat the
    reference on every objective, add nothing. Two objectives are swept in O(N log N); each further one cuts slices
    along it, O(N^(M-1) log N) for M of them and N points on the front (Fonseca et al., 2006,
    https://doi.org/10.1109/CEC.2006.1688440, without their balanced tree: fronts of searches hold tens of points).

    Args:
        points: ``[N, M]``.
        reference: ``[M]``, a point that is worse than all that counts, fixed before looking at the results.

    Raises:
        SpecError: a reference of another length.
    """
    if points.ndim != 2 or points.shape[1] < 1 or reference.shape != points.shape[1:]:
        raise SpecError(
            expected="points [N, M] with M >= 1 and a reference [M]",
            found=f"{points.shape} and {reference.shape}",
            where="hypervolume",
        )
    gains = points[front(points)] - reference
    return _volume(gains[(gains > 0).all(axis=1)])


def _volume(gains: Points) -> float:
    """Volume dominated by points, measured from the origin."""
    if gains.shape[1] == 1:
        return float(gains.max(initial=0.0))
    if gains.shape[1] == 2:
        return _area(gains)
    ordered = gains[np.argsort(-gains[:, -1], kind="stable")]
    depths = ordered[:, -1] - np.append(ordered[1:, -1], 0.0)
    return sum((_volume(_undominated(ordered[: i + 1, :-1])) * float(d) for i, d in enumerate(depths) if d > 0), 0.0)


def _undominated(gains: Points) -> Points:
    return gains[front(gains)]


def _area(gains: Points) -> float:
    """Area dominated by points of two objectives, measured from the origin."""
    ordered = gains[np.lexsort((-gains[:, 1], -gains[:, 0]))]
    heights = np.maximum.accumulate(ordered[:, 1])
    widths = ordered[:, 0] - np.append(ordered[1:, 0], 0.0)
    return float((widths * heights).sum())
