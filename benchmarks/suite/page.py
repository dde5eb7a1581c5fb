"""``docs/benchmarks.md``: what the tables say, with the intervals of the answers beyond their rivals as a plot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import altair

from benchmarks.suite.cells import cells
from benchmarks.suite.table import kept, path_of

DOCS = Path(__file__).parents[2] / "docs"
Row = Mapping[str, Any]

_HEAD = """# Benchmarks

Every cell is one job of the product: its search, baselines at equal size, random search of equal budget, models of one
task, the ensemble. Gains are relative, over single-task networks with the same seeds, on rows that no choice has seen.
`make bench` runs what is missing (`ARGUMENTS="--quick --only drugs"`); `benchmarks/suite` says what the cells are,
`benchmarks/results/suite.parquet` and `suite_quick.parquet` hold every figure.
[Recommendation data](benchmark-data.md) is for whoever has downloaded it.
"""
_QUICK = """## The quick suite

**It proves nothing about methods**: three seeds, one search, two epochs, few rows. It shows that every part runs, and
what a reader of the full suite will find.
"""
_FULL = """## The full suite

Ten independent searches a cell, each answer trained once with a seed of its own; intervals are over searches.
"""


def write_page(folder: Path) -> None:
    """Write ``benchmarks.md`` and its plots into this folder, from the tables that there are."""
    parts = [_HEAD]
    for quick, said in ((False, _FULL), (True, _QUICK)):
        rows = kept(path_of(quick=quick))
        name = "benchmarks-quick" if quick else "benchmarks"
        if rows:
            (folder / "pictures").mkdir(parents=True, exist_ok=True)
            plot(rows).save(folder / "pictures" / f"{name}.svg")
            parts += [
                said,
                _origin(rows, quick=quick),
                f"![Beyond their rivals](pictures/{name}.svg)\n",
                "\n".join(_table(rows)),
            ]
        else:
            parts += [said, "It has not been run yet: no figures.\n"]
    (folder / "benchmarks.md").write_text("\n".join(parts).rstrip() + "\n")


def plot(rows: Sequence[Row]) -> altair.LayerChart:
    """The answer's mean gain beyond each rival, with 95 % intervals."""
    values = [
        {
            "cell": f"{row['data']} · {row['search']}",
            "rival": "random search" if row["measure"].startswith("beyond:random") else "best baseline",
            **{name: row[name] for name in ("value", "low", "high")},
        }
        for row in _differences(rows)
        if row["low"] is not None
    ]
    base = altair.Chart(altair.Data(values=values)).encode(
        y=altair.Y("cell:N", title=None, axis=altair.Axis(labelLimit=300)), yOffset="rival:N", color="rival:N"
    )
    title = "mean gain beyond the rival, 95 % interval"
    bars = base.mark_rule(strokeWidth=2).encode(x=altair.X("low:Q", title=title), x2="high:Q")
    points = base.mark_point(filled=True, size=40).encode(x="value:Q")
    zero = altair.Chart(altair.Data(values=[{"x": 0}])).mark_rule(strokeDash=[4, 4]).encode(x="x:Q")
    return altair.layer(zero, bars, points).properties(width=440, height={"step": 14})


def _differences(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["measure"].startswith("beyond:") and row["task"] == "mean"]


def _origin(rows: Sequence[Row], *, quick: bool) -> str:
    commits = ", ".join(f"`{name}`" for name in dict.fromkeys(row["commit"] for row in rows))
    seconds = {row["cell"]: row["cell_seconds"] for row in rows}
    readers = Counter({row["cell"]: row["data_digest"] for row in rows}.values())
    return (
        f"{len(seconds)} of {len(cells(quick=quick))} cells, {sum(seconds.values()):.0f} seconds by the clock in one "
        f"process, whatever else the machine did; settings of commit {commits}; "
        f"the test part that was read most often was read by {max(readers.values())} of them.\n"
    )


def _table(rows: Sequence[Row]) -> list[str]:
    lines = ["| data | search | answer, mean gain | worst | best rival | beyond it | random search | verdict |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for cell in dict.fromkeys(row["cell"] for row in rows):
        own = [row for row in rows if row["cell"] == cell]
        pairs = _differences(own)
        answer = pairs[0]["entrant"] if pairs else next(r["entrant"] for r in own if r["role"] == "finalist")
        gains = {r["task"]: r["value"] for r in own if r["entrant"] == answer and r["measure"] == "gain"}
        named = [pair for pair in pairs if not pair["measure"].startswith("beyond:random")]
        drawn = [pair for pair in pairs if pair["measure"].startswith("beyond:random")]
        cells = [own[0]["data"], own[0]["search"], _percent(gains.get("mean")), _percent(gains.get("worst"))]
        cells += [named[0]["measure"].removeprefix("beyond:") if named else "", *map(_interval, (named, drawn))]
        lines.append("| " + " | ".join([*cells, (own[0]["verdict"] or "none").replace("_", " ")]) + " |")
    wide = [row["high"] - row["low"] for row in _differences(rows) if row["low"] is not None]
    if wide:
        lines += ["", f"An interval is {100 * fmean(wide):.2f} percentage points wide on average."]
    return [*lines, ""]


def _interval(pairs: Sequence[Row]) -> str:
    if not pairs or pairs[0]["low"] is None:
        return ""
    pair = pairs[0]
    return f"{_percent(pair['value'])} ({100 * pair['low']:+.2f} to {100 * pair['high']:+.2f})"


def _percent(gain: float | None) -> str:
    return "" if gain is None else f"{100 * gain:+.2f} %"
