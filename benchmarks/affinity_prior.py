"""Does a route prior from task affinity help a search? Four generated tasks in two clusters (PROTOCOL.md point 7).

REINFORCE with the prior off and at several strengths, ten searches each; the derived routes are trained from scratch.
Recovery: how much more two tasks of one cluster overlap (Jaccard index of reachable parameters) than two of different
clusters. The clusters' directions are orthogonal, so sharing across them earns nothing.
"""

from __future__ import annotations

from statistics import fmean

import altair
import torch

from benchmarks.packs import access, train_pack
from benchmarks.publishing import interval, publish
from mtnas.data import load
from mtnas.diagnostics import path_overlap
from mtnas.routes import canonical_route
from mtnas.search.specs.supernet_specs import ReinforceSearch
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.searches.reinforce import ReinforceSearcher
from mtnas.training.searches.shared_supernet import Ground
from mtnas.trials import Settings
from search_spaces import build

STRENGTHS, SEEDS = (0.0, 0.5, 1.0, 2.0), 10
OPTIONS = {"num_tasks": 4, "clusters": 2, "correlation": 0.0, "rows": 6_000, "dims": 32}
SPACE = {"layers": 2, "subnets": 4, "width": 8}
TASKS = tuple(Task(name=f"task_{i}", kind=TaskKind.REGRESSION, label=f"task_{i}", tower=(8,)) for i in range(4))
RECIPE = Recipe(batch_size=256, epochs=12)
PAIRS = [(i, j) for i in range(4) for j in range(i)]


def main() -> None:
    """Search and retrain at every strength."""
    torch.set_num_threads(1)
    data = load(DataSpec(source=CatalogueSource(name="planted", options=OPTIONS)), TASKS, access=access())
    assert data.truth is not None
    clusters = data.truth["clusters"]
    space = build("mtnas", TASKS, SPACE)
    settings = [Settings(lr=0.01, seed=seed, data_seed=seed) for seed in range(SEEDS)]
    rows: list[dict[str, object]] = []
    reference: list[float] = []
    for strength in STRENGTHS:
        searcher = ReinforceSearcher(
            Ground(
                space=space,
                inputs=data.inputs,
                settings=settings,
                tasks=TASKS,
                data=ResidentData.of(data, torch.device("cpu")),
                recipe=RECIPE,
            ),
            [ReinforceSearch(prior=strength, reward_rows=256, policy_every=2)] * SEEDS,
        )
        for _ in searcher.run():
            pass
        routes = [canonical_route(space.graph, proposals[0].route) for proposals in searcher.proposals(1)]
        recovery = []
        for route in routes:
            overlap = path_overlap(space.graph, route, data.inputs)
            inside = fmean(overlap[i][j] for i, j in PAIRS if clusters[i] == clusters[j])
            recovery.append(inside - fmean(overlap[i][j] for i, j in PAIRS if clusters[i] != clusters[j]))
        trained = train_pack(data, TASKS, space.graph, routes, settings, RECIPE)
        losses = [fmean(of_task["rmse"] ** 2 for of_task in t.test.values()) for t in trained]
        reference = reference or losses
        change, low, high = interval([a - b for a, b in zip(losses, reference, strict=True)])
        row = {"prior": strength, "overlap inside - across": fmean(recovery), "test loss": fmean(losses)}
        rows.append(row | {"against no prior": change, "low": low, "high": high})
        print(rows[-1], flush=True)
    values = [{**row, "change": row["against no prior"]} for row in rows]
    base = altair.Chart(altair.Data(values=values)).encode(x=altair.X("prior:O", title="strength of the prior"))
    rule = base.mark_rule().encode(y=altair.Y("low:Q", title="test loss against no prior"), y2="high:Q")
    publish(
        "affinity_prior",
        title="A route prior from task affinity: what a search finds on two planted clusters of tasks",
        facts={"data": OPTIONS, "space": SPACE, "searches": SEEDS, "data digest": data.digest[:12]},
        rows=rows,
        chart=(rule + base.mark_point(filled=True).encode(y="change:Q")).properties(width=300, height=220),
        reading="Test loss is the mean squared error over tasks; differences are paired by seed, 95 % intervals.",
    )


if __name__ == "__main__":
    main()
