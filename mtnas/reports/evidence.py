"""What a report proves and what it cost, in sentences (PROTOCOL.md, points 2, 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]

_CHEAP = 0.6  # as the verdict of ``mtnas.run.judging`` has it
_STEPS = {
    "route": "the route",
    "averaging": "averaging its seeds",
    "selection": "choosing networks",
    "task_models": "models of one task",
}


def evidence(report: Report) -> list[str]:
    """Sentences in the order of their weight; what a report does not hold is not spoken of."""
    said = (_searches(report), _worst_task(report), _non_inferior(report), _cost(report), *_taus(report))
    return [sentence for sentence in (*said, _brought(report), _without_search(report)) if sentence]


def judged_row(report: Report) -> Mapping[str, Any] | None:
    """The row that the verdict is about: all independent searches together, else the best route."""
    rows = {row["label"]: row for row in report.get("rows", ())}
    best = report.get("best", {}).get("label")
    return rows.get("searches") or rows.get(best)


def _searches(report: Report) -> str | None:
    search = report.get("search", {})
    if "searches" not in search:
        return None
    if search["searches"] == 1:
        return "There was one search: intervals are about training its route anew, not about searching anew."
    found = search.get("routes_found")
    return (
        f"{search['searches']} independent searches, each answer trained with a seed of its own, found {found} "
        f"different route{'' if found == 1 else 's'}: intervals include the variance of searching."
    )


def _worst_task(report: Report) -> str | None:
    row = judged_row(report)
    gains = {} if row is None else {name: cells["gain"]["mean"] for name, cells in row["per_task"].items()}
    known = {name: gain for name, gain in gains.items() if gain is not None}
    if not known:
        return None
    worst = min(known, key=lambda name: known[name])
    return f"The worst task is {worst}: {_percent(known[worst])} over a network of its own."


def _non_inferior(report: Report) -> str | None:
    found = report.get("non_inferior")
    if not found:
        return None
    share, rival = f"{found['macs_ratio']:.0%} of the multiply-accumulates", found["against"]
    if found["holds"]:
        return f"Non-inferior to {rival} (margin {found['margin']:g}) at {share}."
    if found["macs_ratio"] <= _CHEAP:
        return f"Not shown to be non-inferior to {rival} (margin {found['margin']:g}), at {share}."
    return f"Non-inferiority is not asked: {share} of {rival}, more than {_CHEAP:.0%}."


def _cost(report: Report) -> str | None:
    search = report.get("search", {})
    seconds, multiple = search.get("device_seconds"), search.get("multiple_of_shared_bottom")
    if seconds is None:
        return None
    times = "" if multiple is None else f", {multiple:.1f} trainings of one shared-bottom network"
    return f"A search took {seconds:.3g} device-seconds{times}."


def _taus(report: Report) -> list[str]:
    search = report.get("search", {})
    compared = {
        "kendall": "Scores of the search against those after retraining",
        "inherited": "Inherited weights against training alone",
    }
    return [
        f"{text}: Kendall's tau {search[f'{name}_tau']:.2f} over n = {search[f'{name}_n']} routes."
        for name, text in compared.items()
        if search.get(f"{name}_tau") is not None
    ]


def _brought(report: Report) -> str | None:
    together = report.get("ensemble") or {}
    steps = {name: together.get("brought", {}).get(name, {}).get("mean_gain") for name in _STEPS}
    said = [f"{_STEPS[name]} {_percent(gain)}" for name, gain in steps.items() if gain is not None]
    if not said or together.get("hand_made") is None:
        return None
    return f"Over {together['hand_made']}, of the same recipe, mean gain changes by: {', '.join(said)}."


def _without_search(report: Report) -> str | None:
    """Ensembles for everybody: whether it is the search, or averaging alone, that the answer owes its gain to."""
    together = report.get("ensemble") or {}
    gain = together.get("brought", {}).get("search", {}).get("mean_gain")
    rival = next((rival for rival in together.get("rivals", ()) if rival["label"] == "unsearched"), None)
    if gain is None or rival is None:
        return None
    return (
        f"Without what the search found, the best ensemble has {rival['members']} of {rival['candidates']} candidates "
        f"and a mean gain of {_percent(rival['mean_gain']['mean'])}; the answer, of {together['candidates']}, "
        f"has {_percent(gain)} more, for its routes or for its larger choice."
    )


def _percent(gain: float) -> str:
    return f"{100 * gain:+.2f} %"
