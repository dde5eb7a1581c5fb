"""A whole report as one Markdown document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtnas.reports.evidence import Report, evidence


def as_markdown(report: Report, *, title: str) -> str:
    """Verdict, evidence, the table on ``test`` and paired differences, for people who read no JSON.

    Args:
        report: of a job.
        title: heading of the document.
    """
    lines = [f"# {title}", "", f"Level {report['level']}; verdict: {_verdict(report)}.", ""]
    lines += [f"- {sentence}" for sentence in (*report.get("words", ()), *evidence(report))]
    if (advice := report.get("recommendation")) is not None:
        lines += ["", f"**Take {advice['take']}**: {advice['why']}."]
    lines += ["", "## On test", "", *_table(report), "", "Means and standard deviations; gains are relative, over"]
    lines[-1] += " single-task networks with the same seeds."
    lines += _rivals(report)
    for comparison in report.get("comparisons", ()):
        lines += ["", f"## {comparison['first']} minus {comparison['second']}, {comparison['seeds']} pairs", ""]
        lines += [f"- {name}: {_difference(found)}" for name, found in comparison["differences"].items()]
    lines += ["", f"Data {report['data_digest'][:16]}; test part read by {report['test_reads']} job(s)."]
    return "\n".join(lines) + "\n"


def _verdict(report: Report) -> str:
    return str(report.get("verdict") or "none").replace("_", " ")


def _table(report: Report) -> list[str]:
    names = [task["name"] for task in report["tasks"]]
    headings = ["entrant", "runs", *(f"{task['name']} {task['metric']}" for task in report["tasks"])]
    headings += ["mean gain", "worst gain", "parameters", "MACs", "device seconds"]
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for row in report["rows"]:
        cells = [row["label"], str(row["seeds"])]
        cells += [_spread(row["per_task"][name]["test"]) for name in names]
        cells += [_percent(row["mean_gain"]["mean"]), _percent(row["worst_gain"]["mean"])]
        cells += [_figure(row[name]) for name in ("num_params", "macs", "device_seconds")]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _rivals(report: Report) -> list[str]:
    """What others reach with several members; nothing where the answer is one network."""
    rivals = (report.get("ensemble") or {}).get("rivals", ())
    if not rivals:
        return []
    names = [task["name"] for task in report["tasks"]]
    headings = ["together", "members", *names, "mean gain"]
    lines = ["", "## Others with members of their own", "", "| " + " | ".join(headings) + " |"]
    lines.append("|" + "---|" * len(headings))
    for rival in rivals:
        figures = [f"{rival['per_task'][name]:.4f}" for name in names]
        cells = [rival["label"], str(rival["members"]), *figures, _percent(rival["mean_gain"]["mean"])]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, "", "`unsearched` is the best ensemble without what the search found; the others average seeds."]


def _spread(cell: Mapping[str, float | None]) -> str:
    mean, deviation = cell["mean"], cell["deviation"]
    if mean is None:
        return ""
    return f"{mean:.4f}" if deviation is None else f"{mean:.4f} ± {deviation:.4f}"


def _percent(gain: float | None) -> str:
    return "" if gain is None else f"{100 * gain:+.2f} %"


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _difference(found: Mapping[str, Any]) -> str:
    if found["mean"] is None:
        return "undefined"
    if found["interval"] is None:
        return f"{found['mean']:+.4f}, without an interval"
    low, high = found["interval"]
    return f"{found['mean']:+.4f} (95 % interval {low:+.4f} to {high:+.4f})"
