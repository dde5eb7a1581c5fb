"""Preparing numbers: standardised, scaled robustly and clipped smoothly, or by normal quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mtnas.data.schema_columns import NumericColumn

MOST_DEVIATIONS = 1e6  # larger numbers are cut here, since float32 products of larger ones overflow
SMOOTH_LIMIT = 3.0
_MOST_QUANTILES = 257  # an odd number: the median is one of them
_ROWS_PER_QUANTILE = 30
_OUTERMOST = 1e-3  # of the chance below the least value: a normal quantile of 3.1

Preparation: TypeAlias = Literal["standard", "robust", "quantile"]
Numbers: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a preparation learnt of a column; see ``NumericColumn``."""

    mean: float
    scale: float
    curve: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()


def fit_preparation(values: Numbers, *, prepare: Preparation) -> Prepared:
    """Centre, scale and quantiles of a column's numbers, none missing: the same to the last bit whatever their order.

    A constant column, or one whose scale is below the least number, has scale 1.
    """
    mean, scale = moments(values)
    if prepare == "standard":
        return Prepared(mean=mean, scale=scale)
    ordered = np.sort(values)
    low, median, high = np.quantile(ordered, (0.25, 0.5, 0.75), method="lower").tolist()
    if prepare == "quantile" and ordered[0] < ordered[-1]:
        return _quantiles(ordered, median, scale)
    spread = high / 2 - low / 2 or ordered[-1] / 4 - ordered[0] / 4  # halves: differences may overflow
    return Prepared(mean=median, scale=2 * min(float(spread), np.finfo(np.float64).max / 2) or 1.0)


def prepared(column: NumericColumn, values: Numbers) -> Numbers:
    """The numbers as a network reads them, a missing one (NaN) as the centre; finite for any finite number."""
    known = np.where(np.isnan(values), column.mean, values)
    if column.curve:  # halves: differences may overflow
        return np.interp(known / 2, np.asarray(column.curve) / 2, column.levels)
    with np.errstate(over="ignore"):
        scaled = (known - column.mean) / column.scale
    cut = np.clip(scaled, -MOST_DEVIATIONS, MOST_DEVIATIONS)
    return cut / np.sqrt(1 + (cut / SMOOTH_LIMIT) ** 2) if column.smooth else cut


def _quantiles(ordered: Numbers, median: float, scale: float) -> Prepared:
    """Quantiles of the column and their normal quantiles; one that stands for many rows has the mean of their levels.

    So equal values share one level in the middle of what they hold, and others keep their order, without noise.
    """
    size = min(max(ordered.size // _ROWS_PER_QUANTILE, 10) | 1, _MOST_QUANTILES)
    found = np.quantile(ordered, np.linspace(0, 1, size), method="lower")
    curve, codes, counts = np.unique(found, return_inverse=True, return_counts=True)
    chances = np.bincount(codes, weights=np.linspace(_OUTERMOST, 1 - _OUTERMOST, size)) / counts
    normal = NormalDist()
    levels = np.array([normal.inv_cdf(chance) for chance in chances.tolist()])
    return Prepared(mean=median, scale=scale, curve=tuple(curve.tolist()), levels=tuple(levels.tolist()))


def moments(values: Numbers) -> tuple[float, float]:
    """Mean and deviation (1 for a constant or below the least number), the same to the last bit whatever the order."""
    if values.min() == values.max():
        return float(values[0]), 1.0
    largest = float(np.abs(values).max())
    scaled = np.sort(values) / largest  # divided first: sums and squares may overflow
    return float(scaled.mean()) * largest, float(scaled.std()) * largest or 1.0
