"""A Gaussian process over categorical parameters: exact, in numpy, its scales chosen by the marginal likelihood.

N known points, Q pending points, P points to predict, D features.
"""

from __future__ import annotations

from dataclasses import dataclass

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

    Attributes:
        points: what is known, as features. ``[N, D]``
        weights: of the known points in a prediction. ``[N]``
        center: mean of the known values.
        spread: their standard deviation; 1 where they are all equal.
        scale: length scale, in units of distance.
        noise: variance of the noise, relative to that of the values.
    """

    points: Array
    weights: Array
    center: float
    spread: float
    scale: float
    noise: float

    def predict(self, points_PD: Array) -> Array:
        """Expected values. ``[P]``"""
        return self.center + self.spread * (_kernel(points_PD, self.points, self.scale) @ self.weights)

    def deviation(self, points_PD: Array, pending_QD: Array) -> Array:
        """Standard deviations, given that the values of the pending points will be known too. ``[P]``"""
        known = np.concatenate([self.points, pending_QD])
        covariance = _kernel(known, known, self.scale) + (self.noise + JITTER) * np.eye(len(known))
        explained = np.linalg.solve(np.linalg.cholesky(covariance), _kernel(known, points_PD, self.scale))
        variance_P = np.maximum(1.0 - (explained**2).sum(axis=0), JITTER)
        return np.asarray(np.sqrt(variance_P) * self.spread, dtype=np.float64)


class Surrogates:
    """The processes that known points allow: their kernels are decomposed once, then fitting values is cheap."""

    def __init__(self, points_ND: Array) -> None:
        self._points = points_ND
        unit = float(_distances(points_ND, points_ND).mean()) or 1.0
        self._kernels = [
            (unit * factor, *np.linalg.eigh(_kernel(points_ND, points_ND, unit * factor))) for factor in SCALES
        ]

    def fit(self, values_N: Array) -> GaussianProcess:
        """The process whose scale and noise make the values most likely (Rasmussen and Williams, 2006, eq. 5.8)."""
        center, spread = float(values_N.mean()), float(values_N.std())
        if spread <= 1e-12 * float(np.abs(values_N).max()):
            spread = 1.0
        standard_N = (values_N - center) / spread
        best = -np.inf
        for scale, spectrum_N, basis_NN in self._kernels:
            turned_N = basis_NN.T @ standard_N
            for noise in NOISES:
                variance_N = np.maximum(spectrum_N, 0.0) + noise
                likelihood = -0.5 * float((turned_N**2 / variance_N + np.log(variance_N)).sum())
                if likelihood > best:
                    best, weights_N = likelihood, basis_NN @ (turned_N / variance_N)
                    fitted = GaussianProcess(
                        points=self._points, weights=weights_N, center=center, spread=spread, scale=scale, noise=noise
                    )
        return fitted


def _kernel(left_ND: Array, right_PD: Array, scale: float) -> Array:
    return np.asarray(np.exp(-_distances(left_ND, right_PD) / scale), dtype=np.float64)


def _distances(left_ND: Array, right_PD: Array) -> Array:
    squares_NP = (left_ND**2).sum(axis=1)[:, None] + (right_PD**2).sum(axis=1)[None, :]
    return np.asarray(np.maximum(squares_NP - 2.0 * left_ND @ right_PD.T, 0.0), dtype=np.float64)
