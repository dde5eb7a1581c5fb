"""How a benchmark publishes: one result as JSON, a Markdown table and a plot, with what makes it again (PROTOCOL 8)."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import torch

from mtnas.supernets.products import processor

if TYPE_CHECKING:
    import altair

RESULTS = Path(__file__).parent / "results"


def publish(
    name: str,
    *,
    title: str,
    facts: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    runs: Sequence[Mapping[str, Any]] = (),
    chart: altair.TopLevelMixin | None = None,
    reading: str = "",
    device: str = "",
    command: str = "",
) -> None:
    """Write ``results/<name>.json``, ``.md`` and, with a chart, ``.svg``.

    Args:
        name: of the files, and of the script.
        title: heading of the table.
        facts: settings, seeds, data digest.
        rows: the table.
        runs: what the table summarises; kept in the JSON file alone.
        chart: the plot.
        reading: what the figures say, in one or two sentences.
        device: what it ran on, if not one process on a CPU.
        command: what makes it again, if not the script of that name alone.
    """
    RESULTS.mkdir(exist_ok=True)
    command = command or f"OMP_NUM_THREADS=1 python -m benchmarks.{name}"
    made = {
        "command": command,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "device": device or f"{processor()}; {torch.get_num_threads()} thread(s)",
    }
    document: dict[str, Any] = {
        "title": title,
        "reading": reading,
        "facts": dict(facts),
        "made": made,
        "rows": list(rows),
    }
    if runs:
        document["runs"] = list(runs)
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1, default=str) + "\n")
    columns = list(rows[0])
    lines = [f"# {title}", "", reading, "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row.get(column)) for column in columns) + " |" for row in rows]
    lines += ["", "Settings: " + "; ".join(f"{key} {value}" for key, value in facts.items()) + ".", ""]
    lines += [f"Repeat with `{command}`" + (f"; plot: [{name}.svg]({name}.svg)." if chart is not None else "."), ""]
    (RESULTS / f"{name}.md").write_text("\n".join(lines))
    if chart is not None:
        chart.save(RESULTS / f"{name}.svg")


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and the ends of its 95 % interval (Student)."""
    middle = fmean(values)
    if len(values) < 2:
        return middle, math.nan, math.nan
    from scipy import stats  # here, so that benchmarks without intervals run where torch alone is installed

    half = float(stats.t.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return middle, middle - half, middle + half


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
