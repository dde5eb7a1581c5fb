"""Does the search find planted clusters? Tasks in two clusters; five seeds (PROTOCOL.md point 7).

    python -m benchmarks.planted_recovery

Each seed plants new directions and noise. Three REINFORCE searches with their own initial weights run in one pack, as
``search: {kind: reinforce, searches: 3}`` does; the derived route with the best inherited loss on ``search`` counts.
Tasks are clustered by 1 - Jaccard of the sub-networks their towers reach; the adjusted Rand index compares with the
truth. Shared capacity (two layers of two sub-networks, 8 units) lies below the single-task sum, and each junction
takes one input.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

import search_spaces
from mtnas.data import DataAccess, load
from mtnas.routes import Route, RouteGraph, task_path
from mtnas.search.shared_weights import ReinforceSearch
from mtnas.spaces import Constraints
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.recipe import Recipe
from mtnas.training.reinforce import ReinforceSearcher
from mtnas.training.rows import ResidentData
from mtnas.trials import Settings

RESULTS = Path(__file__).parent / "results"
SEEDS, SEARCHES, CLUSTERS = range(5), 3, 2
TASKS = [Task(name=f"task_{i}", kind=TaskKind.REGRESSION, label=f"task_{i}", tower=()) for i in range(4)]
RECIPE = Recipe(batch_size=256, epochs=12)
SEARCH = ReinforceSearch(routes_per_step=16, reward_rows=256)


def main() -> None:
    """Measure both correlations and write ``results/planted_recovery.{json,md}``."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        rows = [found(seed, p, Path(cache)) for p in (0.0, 1.0) for seed in SEEDS]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "planted_recovery.json").write_text(json.dumps(rows, indent=1) + "\n")
    text = table(rows)
    (RESULTS / "planted_recovery.md").write_text(text)
    print(text)


def found(seed: int, correlation: float, cache: Path) -> dict[str, Any]:
    """One search on newly planted data."""
    options = {"num_tasks": len(TASKS), "clusters": CLUSTERS, "correlation": correlation, "seed": seed}
    data = load(
        DataSpec(source=CatalogueSource(name="planted", options=options)), TASKS, access=DataAccess(cache=cache)
    )
    space = search_spaces.build("mtnas", TASKS, {"layers": 2, "subnets": 2, "width": 8})
    space = replace(space, constraints=Constraints(max_in_degree=1), inputs=data.inputs)
    searcher = ReinforceSearcher(
        space=space,
        inputs=data.inputs,
        settings=[Settings(lr=4e-3, seed=seed * 100 + k, data_seed=seed * 100 + k) for k in range(SEARCHES)],
        tasks=TASKS,
        data=ResidentData.of(data, torch.device("cpu")),
        recipe=RECIPE,
        searches=[SEARCH],
    )
    for _ in searcher.run():
        pass
    derived = [of_search[0] for of_search in searcher.proposals(0)]
    best = min(derived, key=lambda proposal: fmean(metrics["rmse"] for metrics in proposal.inherited.values()))
    overlap = jaccard(space.graph, best.route)
    assert data.truth is not None
    return {
        "correlation": correlation,
        "seed": seed,
        "adjusted_rand": adjusted_rand_score(data.truth["clusters"], clustered(overlap)),
        "mean_jaccard": float(overlap[~np.eye(len(TASKS), dtype=bool)].mean()),
        "of_each_search": [
            adjusted_rand_score(data.truth["clusters"], clustered(jaccard(space.graph, p.route))) for p in derived
        ],
        "route": best.route.text,
    }


def jaccard(graph: RouteGraph, route: Route) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Overlap of the sub-networks that every two tasks reach; all are of one size, so counting them counts weights."""
    paths = [task_path(graph, route, task.name).slots for task in TASKS]
    return np.array([[len(a & b) / len(a | b) for b in paths] for a in paths])


def clustered(overlap: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    """Average-linkage clusters of 1 - Jaccard; tasks that share everything are one cluster."""
    distance = 1 - overlap
    if distance.max() == 0:
        return [0] * len(overlap)
    labels: list[int] = fcluster(linkage(squareform(distance), "average"), CLUSTERS, "maxclust").tolist()
    return labels


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, with means per correlation."""
    lines = ["# Planted recovery", "", "`python -m benchmarks.planted_recovery`", ""]
    lines += [f"Two clusters of two tasks; {SEARCHES} searches a seed, the best on `search` counts.", ""]
    lines += [
        "| correlation | seed | adjusted Rand index | mean Jaccard | each search's index |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        each = ", ".join(f"{value:.2f}" for value in row["of_each_search"])
        cells = (row["correlation"], row["seed"], f"{row['adjusted_rand']:.2f}", f"{row['mean_jaccard']:.2f}", each)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    for p in sorted({row["correlation"] for row in rows}):
        of_p = [row for row in rows if row["correlation"] == p]
        rand, overlap = fmean(r["adjusted_rand"] for r in of_p), fmean(r["mean_jaccard"] for r in of_p)
        lines += ["", f"Correlation {p}: mean adjusted Rand index {rand:.2f}, mean Jaccard {overlap:.2f}."]
    lines += ["", "At correlation 1 there are no clusters to find: only the Jaccard index tells something."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
