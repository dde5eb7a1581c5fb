"""What a job's figures prove, in words: a verdict over two hypotheses, and what to take (PROTOCOL.md point 5).

The hypotheses: the winner is better than the best baseline, which was chosen on ``valid``, and better than random
search with the same budget. Both are about the mean gain on ``test``, paired by seed, with Holm's correction for two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from mtnas.run.judging.statistics import holm, paired, signed_rank_p

ALPHA = 0.05
MARGIN = 0.001
"""Mean gain that a cheaper entrant may lose and still count as no worse."""
CHEAP = 0.6
"""Share of the rival's multiply-accumulates up to which no worse is a win of its own."""
ABOUT_EQUAL = 0.05
"""Costs that differ by less are no reason to prefer one."""

_CALLED = {
    "boosted_trees": "boosted trees",
    "linear": "linear models",
    "searches": "the search, run anew for every seed,",
    "random-searches": "random search",
}
"""What words say instead of a label."""

Level = Literal["quick", "standard", "headline"]
_UNPROVED = {
    "quick": "a quick job gathers too little for a verdict: ask for protocol.level standard or headline",
    "standard": "five seeds cannot prove a difference (p >= .06): told by intervals; protocol.level headline tests it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An entrant as a verdict sees it.

    Attributes:
        label: its name.
        macs: multiply-accumulates per example; None where there is no such count (models of one task).
        valid_score: what it is chosen by.
        gains: mean gain on ``test`` by seed.
        task_gains: gain of every task on ``test``, by seed.
    """

    label: str
    macs: int | None
    valid_score: float
    gains: Mapping[int, float]
    task_gains: Mapping[str, Sequence[float]]

    def beyond(self, other: Standing) -> list[float]:
        """Differences of the mean gain, by the seeds that both have."""
        return [self.gains[seed] - other.gains[seed] for seed in sorted(set(self.gains) & set(other.gains))]


def judge(
    level: Level,
    winner: Standing,
    baselines: Sequence[Standing],
    random: Standing | None,
    *,
    models: Sequence[Standing] = (),
) -> dict[str, Any]:
    """The verdict of a job as its report holds it.

    Args:
        level: how much proof was gathered.
        winner: the answer of the search, chosen on ``valid``.
        baselines: networks that it is compared with; ``single_task`` among them where it could be trained.
        random: the route of random search with the same budget.
        models: boosted trees and linear models, which can be the best baseline; theirs are gains over every seed of
            single-task networks.
    """
    named = [*baselines, *models]
    best = max(named, key=lambda entrant: entrant.valid_score, default=None)
    rivals = [rival for rival in (best, random) if rival is not None]
    hypotheses = _hypotheses(winner, rivals)
    verdict = _verdict(level, hypotheses)
    taken, why = _recommended(winner, baselines)
    loses = [task for task, gains in winner.task_gains.items() if _side(gains) == "below"]
    words = [_said(level, winner, hypothesis) for hypothesis in hypotheses] if level != "quick" else []
    words += [f"task {task!r} is worse off than alone" for task in loses]
    for model in models:
        if winner.gains and fmean(model.gains.values()) > fmean(winner.gains.values()):
            words.append(f"{_CALLED[model.label]}, one per task, are above the searched route on average")
    return {
        "verdict": verdict,
        "verdict_reason": _UNPROVED.get(level) if rivals else "there is no baseline to compare with",
        "hypotheses": hypotheses,
        "non_inferior": None if best is None or level == "quick" else _non_inferior(winner, best),
        "negative_transfer": loses,
        "recommendation": None if level == "quick" else {"take": taken.label, "why": why},
        "words": words,
    }


def _hypotheses(winner: Standing, rivals: Sequence[Standing]) -> list[dict[str, Any]]:
    differences = [winner.beyond(rival) for rival in rivals]
    found = [signed_rank_p(values) for values in differences]
    adjusted = holm([1.0 if p is None else p for p in found])
    return [
        {
            "against": rival.label,
            "seeds": len(values),
            "difference": paired(values, [0.0] * len(values)),
            "p": p,
            "p_holm": None if p is None else corrected,
        }
        for rival, values, p, corrected in zip(rivals, differences, found, adjusted, strict=True)
    ]


def _verdict(level: Level, hypotheses: Sequence[Mapping[str, Any]]) -> str | None:
    """``better`` than all rivals, ``worse`` than one of them, or ``not_distinguishable``; None without proof."""
    if level == "quick" or not hypotheses:
        return None
    sides = []
    for hypothesis in hypotheses:
        interval, proved = hypothesis["difference"]["interval"], True
        if level == "headline":
            proved = hypothesis["p_holm"] is not None and hypothesis["p_holm"] < ALPHA
        sides.append("level" if interval is None or not proved else _of_interval(interval))
    if "below" in sides:
        return "worse"
    return "better" if all(side == "above" for side in sides) else "not_distinguishable"


def _said(level: Level, winner: Standing, hypothesis: Mapping[str, Any]) -> str:
    interval = hypothesis["difference"]["interval"]
    one, other = (_CALLED.get(label, label) for label in (winner.label, hypothesis["against"]))
    if interval is None:
        return f"{one} and {other} cannot be compared: fewer than two seeds of both"
    side = _of_interval(interval)
    relation = {"above": "is better than", "below": "is worse than", "level": "is not told apart from"}[side]
    proof = f"95 % interval {interval[0]:+.4f} to {interval[1]:+.4f}, {hypothesis['seeds']} seeds"
    if level == "headline" and hypothesis["p_holm"] is not None:
        proof += f", Holm p = {hypothesis['p_holm']:.3f}"
        if side != "level" and hypothesis["p_holm"] >= ALPHA:
            relation = "is not proved different from"
    return f"{one} {relation} {other} (mean gain: {proof})"


def _non_inferior(winner: Standing, best: Standing) -> dict[str, Any] | None:
    """Whether the winner is no worse at much less cost: a win of its own, labelled as such."""
    if not winner.macs or not best.macs:
        return None
    differences = winner.beyond(best)
    interval = paired(differences, [0.0] * len(differences))["interval"]
    share = winner.macs / best.macs
    holds = share <= CHEAP and isinstance(interval, list) and interval[0] > -MARGIN
    return {"against": best.label, "macs_ratio": share, "margin": MARGIN, "holds": holds}


def _recommended(winner: Standing, baselines: Sequence[Standing]) -> tuple[Standing, str]:
    """The cheapest of those that no seed tells apart from the winner, unless the winner is better than all."""
    name = _CALLED.get(winner.label, winner.label)
    equals = [entrant for entrant in baselines if _side(winner.beyond(entrant)) != "above" and entrant.macs is not None]
    if not equals:
        return winner, f"{name} is better than every baseline"
    alone = next((entrant for entrant in equals if entrant.label == "single_task"), None)
    sharing = [winner, *(entrant for entrant in baselines if entrant.label != "single_task")]
    if alone is not None and all(_side(entrant.beyond(alone)) != "above" for entrant in sharing):
        return alone, "no network that shares is told apart from single-task ones: train the tasks alone"
    least = min(entrant.macs for entrant in (winner, *equals) if entrant.macs is not None)
    cheap = [e for e in (winner, *equals) if e.macs is not None and e.macs <= least * (1 + ABOUT_EQUAL)]
    taken = max(cheap, key=lambda entrant: entrant.valid_score)
    others = ", ".join(entrant.label for entrant in equals if entrant is not taken)
    if taken is winner:
        return winner, f"{name} is not told apart from {others}, and none of these is cheaper"
    return taken, f"{name} is not told apart from {taken.label}: take the cheaper one"


def _side(differences: Sequence[float]) -> str:
    interval = paired(differences, [0.0] * len(differences))["interval"]
    return _of_interval(interval) if isinstance(interval, list) else "level"


def _of_interval(interval: Sequence[float]) -> str:
    return "above" if interval[0] > 0 else "below" if interval[1] < 0 else "level"
