"""Which of many new points to try next, given a Gaussian process of what is known.

N known points, Q pending points, P new points, D features, M objectives; larger values are better.
"""

from __future__ import annotations

import math

import numpy as np

from mtnas.search.fronts.pareto import Points
from mtnas.search.gaussian.surrogate import Array, GaussianProcess, Surrogates

AUGMENTATION = 0.05  # weight of the sum beside the maximum (ParEGO, eq. 2)


def choose(
    known_ND: Array, values_NM: Points, fresh_PD: Array, pending_QD: Array, *, count: int, rng: np.random.Generator
) -> list[int]:
    """Places of up to ``count`` new points of highest expected improvement (Jones et al., 1998), one after another.

    Pending points, and those chosen before, are believed to come out as predicted (the kriging believer of Ginsbourger
    et al., 2010), so that a generation spreads out. Several objectives are joined by random weights, new ones for
    every point (ParEGO; Knowles, 2006, https://doi.org/10.1109/TEVC.2005.851274, eq. 2).
    """
    surrogates = Surrogates(known_ND)
    low, high = values_NM.min(axis=0), values_NM.max(axis=0)
    shortfall_NM = (high - values_NM) / np.where(high > low, high - low, 1.0)
    left = list(range(len(fresh_PD)))
    chosen: list[int] = []
    while left and len(chosen) < count:
        weighted_NM = rng.dirichlet(np.ones(values_NM.shape[1])) * shortfall_NM
        joined_N = -(weighted_NM.max(axis=1) + AUGMENTATION * weighted_NM.sum(axis=1))
        believed = np.concatenate([pending_QD, fresh_PD[chosen]])
        improvement = _expected_improvement(surrogates.fit(joined_N), fresh_PD[left], believed, float(joined_N.max()))
        chosen.append(left.pop(int(np.argmax(improvement))))
    return chosen


def _expected_improvement(process: GaussianProcess, fresh_PD: Array, pending_QD: Array, best: float) -> Array:
    """Expected improvement over the best value known, or believed of a pending point."""
    mean_P, deviation_P = process.predict(fresh_PD), process.deviation(fresh_PD, pending_QD)
    z_P = (mean_P - process.predict(pending_QD).max(initial=best)) / deviation_P
    below_P = np.array([0.5 * math.erfc(-z / math.sqrt(2.0)) for z in z_P.tolist()])
    density_P = np.exp(-0.5 * z_P**2) / math.sqrt(2.0 * math.pi)
    return np.asarray(deviation_P * (z_P * below_P + density_P), dtype=np.float64)
