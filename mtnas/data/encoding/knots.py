"""Where piecewise-linear curves of numbers bend: knots fitted on training rows, and the place of numbers among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtnas.data.schema_columns import NumericColumn


def fit_knots(values: NDArray[np.float64], *, bins: int) -> tuple[float, ...]:
    """Ascending knots of at most ``bins`` segments: the values themselves where they are few, else quantiles.

    A value that more than 1 / ``bins`` of the rows hold is a knot, and so are its neighbours in the data: the curve can
    then take any value there without bending elsewhere. Quantiles are those of the other rows, so that where most rows
    hold zero, the rest still spread over almost all segments. None for a constant column.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if distinct.size < 2:
        return ()
    if distinct.size <= bins + 1:
        return tuple(distinct.tolist())
    modes = np.flatnonzero(counts * bins > values.size)
    own = np.unique(np.concatenate((modes - 1, modes, modes + 1)).clip(0, distinct.size - 1))
    if own.size > bins - 1:  # few segments for many such values: no room for their neighbours
        own = modes[: bins - 1]
    others = np.delete(distinct, modes).repeat(np.delete(counts, modes))
    between = np.quantile(others, np.linspace(0, 1, bins + 1 - own.size), method="lower") if others.size else others
    ends = distinct[[0, -1]]
    knots = np.unique(np.concatenate((ends, distinct[own], between)))
    return tuple(knots.tolist())


def place_among(column: NumericColumn, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where between the column's knots its values lie: 2.25 is a quarter of the way from the third to the fourth.

    Values beyond the outermost knots are placed on them. A missing value (NaN) is read as the column's centre.
    """
    knots = np.asarray(column.knots)
    known = np.where(np.isnan(values), column.mean, values)
    segment = np.clip(np.searchsorted(knots, known, side="right") - 1, 0, knots.size - 2)
    begin, end = knots[segment] / 2, knots[segment + 1] / 2  # halves: differences may overflow
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.nan_to_num((known / 2 - begin) / (end - begin), nan=0.0)
    return np.asarray(segment + np.clip(share, 0, 1), np.float64)
