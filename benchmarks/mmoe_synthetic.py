"""Loss against task correlation, two tasks: the synthetic experiment of the MMoE paper (METHODS.md section 7).

Ma et al., KDD 2018, section 3 and 5. Shared-bottom and MMoE (and PLE, where the named routes hold it) have the
parameters of the searched routes' mean within what widths allow; every one has its learning rate chosen from the same
grid on ``valid``. A route is searched per seed with REINFORCE in the layered space, then trained from scratch.
"""

from __future__ import annotations

from statistics import fmean

import altair
import torch

from benchmarks.packs import access, towers, train_pack
from benchmarks.publishing import interval, publish
from mtnas.data import EncodedData, load
from mtnas.routes import Route, RouteGraph, canonical_route
from mtnas.routes.schemes.by_name import NAMED_ROUTES, Size, matched
from mtnas.search.specs.supernet_specs import ReinforceSearch
from mtnas.spaces import SearchSpace
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.searches.reinforce import ReinforceSearcher
from mtnas.training.searches.shared_supernet import Ground
from mtnas.trials import Settings
from search_spaces import build

CORRELATIONS, SEEDS, RATES = (0.5, 0.9, 1.0), 10, (0.02, 0.04, 0.08, 0.16)
ROWS, DIMS, EPOCHS, BATCH = 8_000, 64, 16, 256
TASKS = tuple(Task(name=f"task_{i}", kind=TaskKind.REGRESSION, label=f"task_{i}", tower=(8,)) for i in range(2))
SPACE = {"layers": 2, "subnets": 4, "width": 16}
NAMES = tuple(name for name in ("shared_bottom", "mmoe", "ple") if name in NAMED_ROUTES)
RECIPE = Recipe(batch_size=BATCH, epochs=EPOCHS)


def main() -> None:
    """Train everything at every correlation."""
    torch.set_num_threads(1)
    rows, digests = [], []
    for correlation in CORRELATIONS:
        options = {"num_tasks": 2, "clusters": 2, "correlation": correlation, "rows": ROWS, "dims": DIMS}
        source = CatalogueSource(name="planted", options=options)
        data = load(DataSpec(source=source), TASKS, access=access())
        digests.append(data.digest[:12])
        space = build("mtnas", TASKS, SPACE)
        searched = search(data, space)
        num_params = round(fmean(space_cost(space, data, route) for route in searched))
        entrants = {"searched route": (space.graph, searched)}
        for name in NAMES:
            named = matched(name, towers(TASKS), Size(layers=2, experts=4), data.inputs, num_params=num_params)
            entrants[name] = (named.graph, [named.route] * SEEDS)
        for name, (graph, routes) in entrants.items():
            rate, losses = tuned(data, graph, routes)
            middle, low, high = interval(losses)
            rows.append({"correlation": correlation, "model": name, "test loss": middle, "low": low, "high": high})
            rows[-1] |= {"lr": rate, "num_params": num_params}
            print(rows[-1], flush=True)
    report(rows, digests)


def report(rows: list[dict[str, object]], digests: list[str]) -> None:
    """Publish the table."""
    reading = "Intervals are 95 % over seeds. The best model at each correlation: "
    reading += "; ".join(f"{p}: {best(rows, p)}" for p in CORRELATIONS) + "."
    reading += " Compare within a correlation: labels differ between them, and so does the least loss."
    at_edge = sorted({str(row["model"]) for row in rows if row["lr"] in (RATES[0], RATES[-1])})
    if at_edge:
        reading += f" The chosen learning rate lies on the edge of its grid for {', '.join(at_edge)}: no verdict."
    publish(
        "mmoe_synthetic",
        title="Two generated tasks: mean squared error on test (mean of the tasks) against their correlation",
        facts={
            "rows": ROWS,
            "dims": DIMS,
            "epochs": EPOCHS,
            "batch": BATCH,
            "seeds": f"{SEEDS} (initial weights, order of rows, searches); one data set per correlation",
            "lr grid": RATES,
            "space": SPACE,
            "data digests": digests,
        },
        rows=rows,
        chart=plot(rows),
        reading=reading,
    )


def search(data: EncodedData, space: SearchSpace) -> list[Route]:
    """One derived route per seed."""
    searcher = ReinforceSearcher(
        Ground(
            space=space,
            inputs=data.inputs,
            settings=settings(0.01),
            tasks=TASKS,
            data=ResidentData.of(data, torch.device("cpu")),
            recipe=RECIPE,
        ),
        [ReinforceSearch(reward_rows=256, policy_every=2)] * len(settings(0.01)),
    )
    for _ in searcher.run():
        pass
    return [canonical_route(space.graph, proposals[0].route) for proposals in searcher.proposals(1)]


def space_cost(space: SearchSpace, data: EncodedData, route: Route) -> int:
    """Parameters of a route of the space."""
    return SearchSpace(name=space.name, graph=space.graph, inputs=data.inputs).cost(route).num_params


def settings(rate: float) -> list[Settings]:
    """One candidate per seed."""
    return [Settings(lr=rate, seed=seed, data_seed=seed) for seed in range(SEEDS)]


def tuned(data: EncodedData, graph: RouteGraph, routes: list[Route]) -> tuple[float, list[float]]:
    """The learning rate that is best on ``valid`` over all seeds, and its losses on ``test``."""
    found = {}
    for rate in RATES:
        trained = train_pack(data, TASKS, graph, routes, settings(rate), RECIPE)
        found[rate] = ([loss(t.valid) for t in trained], [loss(t.test) for t in trained])
    best_rate = min(found, key=lambda rate: fmean(found[rate][0]))
    return best_rate, found[best_rate][1]


def loss(metrics: dict[str, dict[str, float]]) -> float:
    """Mean over tasks of the squared error."""
    return fmean(of_task["rmse"] ** 2 for of_task in metrics.values())


def best(rows: list[dict[str, object]], correlation: float) -> str:
    """The model of the lowest mean loss."""
    row = min((r for r in rows if r["correlation"] == correlation), key=lambda r: float(str(r["test loss"])))
    return f"{row['model']} ({float(str(row['test loss'])):.4f})"


def plot(rows: list[dict[str, object]]) -> altair.LayerChart:
    """Loss against correlation, with intervals."""
    values = [{**row, "loss": row["test loss"]} for row in rows]
    base = altair.Chart(altair.Data(values=values)).encode(x=altair.X("correlation:N", title="task correlation p"))
    color, offset = altair.Color("model:N"), altair.XOffset("model:N")
    bars = base.mark_rule().encode(y=altair.Y("low:Q"), y2="high:Q", color=color, xOffset=offset)
    y = altair.Y("loss:Q", title="test loss", scale=altair.Scale(zero=False))
    points = base.mark_point(filled=True, size=60).encode(y=y, color=color, xOffset=offset)
    return (bars + points).properties(width=420, height=280)


if __name__ == "__main__":
    main()
