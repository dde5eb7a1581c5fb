"""Hypervolume: how much of the objective space a set of points dominates, exactly, for one to three objectives."""

from __future__ import annotations

import numpy as np

from mtnas.errors import SpecError
from mtnas.search.pareto import Points, front


def hypervolume(points: Points, reference: Points) -> float:
    """Volume between the reference point and the union of the boxes that the points dominate; 0 without any.

    Larger is better everywhere, as in ``mtnas.search.pareto``. Points that are not finite, or do not beat the
    reference on every objective, add nothing. Two objectives are swept in O(N log N); three in slices along the last
    objective, O(N^2 log N) of the points on the front (Fonseca et al., 2006, https://doi.org/10.1109/CEC.2006.1688440,
    without their balanced tree: fronts of searches hold tens of points).

    Args:
        points: ``[N, M]``, M from 1 to 3.
        reference: ``[M]``, a point that is worse than all that counts, fixed before looking at the results.

    Raises:
        SpecError: more than three objectives, or a reference of another length.
    """
    if points.ndim != 2 or not 1 <= points.shape[1] <= 3 or reference.shape != points.shape[1:]:
        raise SpecError(
            expected="points [N, M] with M from 1 to 3 and a reference [M]",
            found=f"{points.shape} and {reference.shape}",
            where="hypervolume",
        )
    gains = points[front(points)] - reference
    gains = gains[(gains > 0).all(axis=1)]
    if points.shape[1] == 1:
        return float(gains.max(initial=0.0))
    if points.shape[1] == 2:
        return _area(gains)
    ordered = gains[np.argsort(-gains[:, 2], kind="stable")]
    depths = ordered[:, 2] - np.append(ordered[1:, 2], 0.0)
    return sum((_area(ordered[: i + 1, :2]) * float(d) for i, d in enumerate(depths) if d > 0), 0.0)


def _area(gains: Points) -> float:
    """Area dominated by points of two objectives, measured from the origin."""
    ordered = gains[np.lexsort((-gains[:, 1], -gains[:, 0]))]
    heights = np.maximum.accumulate(ordered[:, 1])
    widths = ordered[:, 0] - np.append(ordered[1:, 0], 0.0)
    return float((widths * heights).sum())
