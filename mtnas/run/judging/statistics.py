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


def signed_rank_p(differences: Sequence[float]) -> float | None:
    """Two-sided p of Wilcoxon's signed-rank test that differences lie about zero; None where none differs from zero.

    Exact where no two sizes are equal (five pairs cannot go below .0625), by its normal limit where some are.
    """
    defined = [value for value in differences if not math.isnan(value) and value != 0.0]
    if not defined:
        return None
    from scipy import stats  # see above

    tied = len({abs(value) for value in defined}) < len(defined)
    return float(stats.wilcoxon(defined, method="asymptotic" if tied else "exact").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number (Holm, 1979, Scand. J. Statist. 6, 65-70), in the order given."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, most = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        most = max(most, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = most
    return adjusted
