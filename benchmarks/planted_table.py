"""The table and the plot of planted recovery: means over seeds, against the marks of PROTOCOL.md point 7."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import altair

MARK = 0.9


def summary(scheme: str, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row of the table: means over seeds."""

    def mean(figure: str, correlation: float, clusters: int) -> float:
        wanted = (scheme, correlation, clusters)
        runs = [run for run in found if (run["scheme"], run["correlation"], run["clusters"]) == wanted]
        return round(fmean(run[figure] for run in runs), 3)

    row: dict[str, Any] = {"scheme": scheme}
    for clusters in (2, 3):
        row[f"ARI, {clusters} clusters"] = mean("adjusted_rand", 0.0, clusters)
        row[f"gain, {clusters} clusters"] = mean("gain", 0.0, clusters)
        row[f"parameters, {clusters} clusters"] = mean("parameters", 0.0, clusters)
    row["Jaccard, p = 1"] = mean("mean_jaccard", 1.0, 2)
    row["gain, p = 1"] = mean("gain", 1.0, 2)
    row["searches, in trainings"] = round(mean("search_trainings", 0.0, 2), 1)
    row["answer, in trainings"] = round(mean("all_trainings", 0.0, 2), 1)
    return row


def reading(rows: Sequence[dict[str, Any]]) -> str:
    """Which schemes reach which mark."""
    marks = ("ARI, 2 clusters", "ARI, 3 clusters", "Jaccard, p = 1")
    two, three, shared = ([row["scheme"] for row in rows if row[mark] >= MARK] for mark in marks)
    every = [scheme for scheme in two if scheme in three and scheme in shared]
    return (
        f"Mean adjusted Rand index of at least .9 with two clusters: {_listed(two)}; with three: {_listed(three)}. "
        f"Mean Jaccard index of at least .9 at correlation 1: {_listed(shared)}. All three: {_listed(every)}. "
        "Gains are over single-task networks of the same width; parameters are a share of theirs; costs (of the "
        "searches; with the trainings of their routes) are counted in trainings of such a network."
    )


def plot(found: Sequence[dict[str, Any]]) -> altair.LayerChart:
    """Every seed's index, and the mean."""
    points = [
        {
            "scheme": run["scheme"],
            "instance": f"p = {run['correlation']:g}, {run['clusters']} clusters",
            "index": run["mean_jaccard"] if run["correlation"] == 1 else run["adjusted_rand"],
        }
        for run in found
    ]
    base = altair.Chart(altair.Data(values=points)).encode(
        y=altair.Y("scheme:N", title=None),
        x=altair.X("index:Q", title="adjusted Rand index (p = 0) or mean Jaccard index (p = 1)"),
        color=altair.Color("instance:N", title=None),
        yOffset="instance:N",
    )
    chart: altair.LayerChart = base.mark_point(opacity=0.5) + base.mark_tick(thickness=3).encode(x="mean(index):Q")
    return chart


def _listed(schemes: Sequence[str]) -> str:
    return ", ".join(schemes) or "none"
