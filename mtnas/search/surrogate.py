"""A Gaussian process over categorical parameters: exact, in numpy, its scales chosen by the marginal likelihood.

N known points, Q pending points, P points to predict, D features.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)  # length scales tried, in units of the mean distance of the known points
NOISES = (1e-3, 1e-2, 1e-1, 0.5)  # noise variances tried, in units of the variance of the known values
JITTER = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianProcess:
    """A fitted process with kernel ``exp(-distance / scale)`` of the squared Euclidean distance.

    Where a category is a row of indicators of height ``sqrt(1/2)``, that distance counts the categories that differ.
    The values are standardised inside.

    Attributes:
        points: what is known, as features. ``[N, D]``
        values: its values. ``[N]``
        scale: length scale, in units of distance.
        noise: variance of the noise, relative to that of the values.
    """

    points: Array
    values: Array
    scale: float
    noise: float

    @staticmethod
    def fit(points_ND: Array, values_N: Array) -> GaussianProcess:
        """The process whose scale and noise make the values most likely (Rasmussen and Williams, 2006, eq. 5.8)."""
        distances_NN = _distances(points_ND, points_ND)
        unit = float(distances_NN.mean()) or 1.0
        target_N = _standard(values_N)
        best, chosen = -np.inf, (unit, NOISES[-1])
        for scale, noise in product((unit * factor for factor in SCALES), NOISES):
            lower_NN = _factor(np.exp(-distances_NN / scale), noise)
            residual_N = np.linalg.solve(lower_NN, target_N)
            likelihood = -0.5 * float(residual_N @ residual_N) - float(np.log(np.diag(lower_NN)).sum())
            if likelihood > best:
                best, chosen = likelihood, (scale, noise)
        return GaussianProcess(points=points_ND, values=values_N, scale=chosen[0], noise=chosen[1])

    def predict(self, points_PD: Array) -> Array:
        """Expected values. ``[P]``"""
        lower_NN = _factor(self._kernel(self.points, self.points), self.noise)
        weights_N = np.linalg.solve(lower_NN.T, np.linalg.solve(lower_NN, _standard(self.values)))
        standard_P = self._kernel(points_PD, self.points) @ weights_N
        result: Array = standard_P * _spread(self.values) + self.values.mean()
        return result

    def deviation(self, points_PD: Array, pending_QD: Array) -> Array:
        """Standard deviations, given that the values of the pending points will be known too. ``[P]``"""
        known = np.concatenate([self.points, pending_QD])
        lower = _factor(self._kernel(known, known), self.noise)
        explained = np.linalg.solve(lower, self._kernel(known, points_PD))
        variance_P = np.maximum(1.0 - (explained**2).sum(axis=0), JITTER)
        result: Array = np.sqrt(variance_P) * _spread(self.values)
        return result

    def _kernel(self, left: Array, right: Array) -> Array:
        result: Array = np.exp(-_distances(left, right) / self.scale)
        return result


def _distances(left_ND: Array, right_PD: Array) -> Array:
    squares_NP = (left_ND**2).sum(axis=1)[:, None] + (right_PD**2).sum(axis=1)[None, :]
    return np.asarray(np.maximum(squares_NP - 2.0 * left_ND @ right_PD.T, 0.0), dtype=np.float64)


def _factor(kernel_NN: Array, noise: float) -> Array:
    result: Array = np.linalg.cholesky(kernel_NN + (noise + JITTER) * np.eye(len(kernel_NN)))
    return result


def _spread(values_N: Array) -> float:
    return float(values_N.std()) or 1.0


def _standard(values_N: Array) -> Array:
    result: Array = (values_N - values_N.mean()) / _spread(values_N)
    return result
