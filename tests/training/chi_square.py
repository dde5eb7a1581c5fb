"""Whether counts look like draws from a distribution."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

from scipy import stats


def p_value(drawn: Iterable[Hashable], expected: Mapping[Hashable, float]) -> float:
    """Of Pearson's chi-square test; 0 if something was drawn that has no chance.

    Outcomes that are expected fewer than five times count as one.
    """
    counts: dict[Hashable, int] = {}
    for outcome in drawn:
        counts[outcome] = counts.get(outcome, 0) + 1
    if any(expected.get(outcome, 0) <= 0 for outcome in counts):
        return 0.0
    total = sum(counts.values())
    common = [outcome for outcome, chance in expected.items() if chance * total >= 5]
    found = [counts.get(outcome, 0) for outcome in common]
    wanted = [expected[outcome] * total for outcome in common]
    if (rest := total - sum(wanted)) > 1e-6 * total:
        found.append(total - sum(found))
        wanted.append(rest)
    if len(found) < 2:
        return 1.0
    scale = sum(found) / sum(wanted)
    return float(stats.chisquare(found, [value * scale for value in wanted]).pvalue)
