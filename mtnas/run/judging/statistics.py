"""Means, intervals and paired differences (PROTOCOL.md point 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev


def summary(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and standard deviation over seeds; no deviation for a single one, None for undefined figures."""
    defined = [value for value in values if not math.isnan(value)]
    if not defined or len(defined) < len(values):
        return {"mean": None, "deviation": None}
    return {"mean": fmean(defined), "deviation": stdev(defined) if len(defined) > 1 else None}


def paired(first: Sequence[float], second: Sequence[float]) -> dict[str, float | list[float] | None]:
    """Mean of ``first - second``, pair by pair, with its 95 % interval (Student); None with fewer than two pairs."""
    differences = [a - b for a, b in zip(first, second, strict=True) if not math.isnan(a - b)]
    if not differences:
        return {"mean": None, "interval": None}
    if len(differences) == 1:
        return {"mean": differences[0], "interval": None}
    from scipy import stats  # here, since it takes a second to load, which every Ray actor would pay

    half = float(stats.t.ppf(0.975, len(differences) - 1)) * stdev(differences) / math.sqrt(len(differences))
    middle = fmean(differences)
    return {"mean": middle, "interval": [middle - half, middle + half]}


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kendall's rank correlation, None where it is undefined."""
    if len(first) < 2:
        return None
    from scipy import stats  # see above

    tau = float(stats.kendalltau(first, second).statistic)
    return None if math.isnan(tau) else tau
