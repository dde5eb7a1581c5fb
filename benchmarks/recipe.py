"""Which changes of the training recipe help: each alone and all together, several seeds as one pack.

Every variant is trained at two learning rates; the better one on ``valid`` counts. Few rows are trained on, many are
in ``valid`` and ``test``, so that differences can be told from noise. Choices are made on ``valid``; ``test`` is in the
table alone. Cells that are in the results already are not trained again:

    OMP_NUM_THREADS=1 MTNAS_DATA_DIR=... python -m benchmarks.recipe [--seeds 3] [--nets shared_bottom mmoe]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean
from typing import Any

import numpy as np
import torch

from benchmarks.packs import access, towers
from benchmarks.publishing import RESULTS, interval, publish
from mtnas.data import EncodedData, load
from mtnas.data.data_spec import CatalogueSource, DataSpec, RatioSplit
from mtnas.routes.schemes.by_name import NAMED_ROUTES, Size
from mtnas.spec.run_length import run_length
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings

LEAST_STEPS = 400
RATES = (3e-3, 1e-2)
SIZE = Size(layers=2, experts=4, width=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A table: where it is, its labels, and how many of its rows are trained on."""

    spec: DataSpec
    labels: tuple[str, ...]
    rows: int


PROBLEMS = {
    "census": Problem(
        spec=DataSpec(source=CatalogueSource(name="census-income"), max_rows=60_000),
        labels=("income", "education", "marital"),
        rows=7_000,
    ),
    "flights": Problem(
        spec=DataSpec(source=CatalogueSource(name="flights"), max_rows=100_000, split=RatioSplit()),
        labels=("dep_late", "arr_late", "cancelled"),
        rows=14_000,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What differs from the base: AdamW, weight decay .3, one cycle."""

    recipe: dict[str, Any] = field(default_factory=dict)
    weight_decay: float = 0.3
    rates: tuple[float, ...] = RATES


VARIANTS = {
    "before": Variant(recipe={"batch_size": 1024, "epochs": 4}, weight_decay=1e-5, rates=(2e-3, 4e-3)),
    "base": Variant(),
    "weight decay .01": Variant(weight_decay=0.01),
    "weight decay 1": Variant(weight_decay=1.0),
    "clip 1": Variant(recipe={"clip_norm": 1.0}),
    "average .99": Variant(recipe={"average": 0.99}),
    "flat cosine": Variant(recipe={"schedule": "flat_cosine"}),
    "muon": Variant(recipe={"optimiser": "muon"}),
    "muon, weight decay 1": Variant(recipe={"optimiser": "muon"}, weight_decay=1.0),
    "muon, weight decay 1, average .99": Variant(recipe={"optimiser": "muon", "average": 0.99}, weight_decay=1.0),
    "all": Variant(recipe={"optimiser": "muon", "average": 0.99, "clip_norm": 1.0}, weight_decay=1.0),
    "twice the steps": Variant(recipe={"epochs": 2}),  # times the base's
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, cell by cell, and publish after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--nets", nargs="+", default=["shared_bottom"], choices=sorted(NAMED_ROUTES))
    parser.add_argument("--problems", nargs="+", default=sorted(PROBLEMS), choices=sorted(PROBLEMS))
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    asked = parser.parse_args(arguments)
    results = RESULTS / "recipe.json"
    runs: list[dict[str, Any]] = json.loads(results.read_text())["runs"] if results.exists() else []
    for net in asked.nets:
        for name in asked.variants:
            for problem in asked.problems:
                cell = {"problem": problem, "net": net, "variant": name, "seeds": asked.seeds}
                if any(cell.items() <= run.items() for run in runs):
                    continue
                runs.append(cell | trained(problem, net, VARIANTS[name], asked.seeds))
                _publish(runs)


def trained(problem: str, net: str, variant: Variant, seeds: int) -> dict[str, Any]:
    """Mean AUC on ``valid`` and ``test`` by seed, at the rate that is best on ``valid``, and where scores were best."""
    found = PROBLEMS[problem]
    tasks = [Task(name=name, kind=TaskKind.BINARY, label=name, tower=(32,)) for name in found.labels]
    data = some_rows(load(found.spec, tasks, access=access()), found.rows)
    length = run_length(
        num_rows=found.rows,
        num_tasks=len(tasks),
        own_rows=False,
        batch_size="auto",
        epochs="auto",
        least_steps=LEAST_STEPS,
    )
    recipe = replace(Recipe(batch_size=length.batch_size, epochs=length.epochs), **variant.recipe)
    if "epochs" in variant.recipe and "batch_size" not in variant.recipe:
        recipe = replace(recipe, epochs=variant.recipe["epochs"] * length.epochs)
    pairs = [(lr, seed) for lr in variant.rates for seed in range(seeds)]
    route = NAMED_ROUTES[net](towers(tasks), SIZE)
    trainer = PackTrainer(
        graph=route.graph,
        inputs=data.inputs,
        routes=[route.route] * len(pairs),
        settings=[
            Settings(lr=lr, weight_decay=variant.weight_decay, dropout=0.1, seed=seed, data_seed=seed)
            for lr, seed in pairs
        ],
        tasks=tasks,
        data=ResidentData.of(data, torch.device("cpu")),
        recipe=recipe,
        parts=("train",),
    )
    scores = torch.stack([look.scores for look in trainer.run()])
    metrics = trainer.best_metrics(("valid", "test"))
    means = {
        part: torch.stack([of_task["auc"] for of_task in found_there.values()]).mean(0).view(-1, seeds)
        for part, found_there in metrics.items()
    }
    best = int(means["valid"].mean(1).argmax())
    peaks = (scores.argmax(0) + 1).double().view(-1, seeds)[best] / len(scores)
    return {
        "lr": variant.rates[best],
        "steps": trainer.total_steps,
        "valid": means["valid"][best].tolist(),
        "test": means["test"][best].tolist(),
        "by rate": {str(lr): mean for lr, mean in zip(variant.rates, means["valid"].mean(1).tolist(), strict=True)},
        "best look at": float(peaks.mean()),
    }


def some_rows(data: EncodedData, rows: int) -> EncodedData:
    """The data with so many rows to train on, drawn at random; other parts stay."""
    drawn = np.random.default_rng(7).permutation(data.parts["train"])[:rows]
    return replace(data, parts={**data.parts, "train": np.sort(drawn)})


def _publish(runs: Sequence[dict[str, Any]]) -> None:
    base = {(run["problem"], run["net"], run["seeds"]): run for run in runs if run["variant"] == "base"}
    rows = []
    for run in sorted(runs, key=lambda run: (run["problem"], run["net"])):
        against = base.get((run["problem"], run["net"], run["seeds"]))
        row = {"problem": run["problem"], "net": run["net"], "variant": run["variant"], "lr": run["lr"]}
        row |= {"valid": round(fmean(run["valid"]), 4), "test": round(fmean(run["test"]), 4)}
        if against is not None and run is not against:
            gains = [own - other for own, other in zip(run["valid"], against["valid"], strict=True)]
            middle, low, high = interval(gains)
            row["gain on valid over base (95 %, paired)"] = f"{middle:+.4f} ({low:+.4f} to {high:+.4f})"
        else:
            row["gain on valid over base (95 %, paired)"] = ""
        rows.append(row | {"best look at": round(run["best look at"], 2)})
    publish(
        "recipe",
        title="What changes of the training recipe bring (mean AUC over three tasks)",
        facts={"least steps": LEAST_STEPS, "size": asdict(SIZE), "rows": {n: p.rows for n, p in PROBLEMS.items()}},
        rows=rows,
        runs=runs,
        reading="Sizing by the data (with its rates) brings most; all changes together bring more on flights, and "
        "nothing that three seeds can tell on Census. No change alone is told from noise on either set.",
    )


if __name__ == "__main__":
    main()
