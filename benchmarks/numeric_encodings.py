"""How numbers and categories are best put into a network: every encoding of ``data.numeric`` on two real sets.

Census-Income (10,000 rows, three tasks) and flights (20,000 rows, three tasks), shared bottom, one pack of seeds x
learning rates an encoding. Figures are the mean AUC of the tasks on ``valid``, each encoding at its own best rate;
differences are paired by seed. ``test`` is not read: the defaults are chosen here. Delete the results to train anew.
"""

from __future__ import annotations

import json
import sys
from statistics import fmean
from typing import Any

import torch

from benchmarks.packs import access, towers
from benchmarks.publishing import RESULTS, interval, publish
from mtnas.data import EncodedData, load
from mtnas.data.encoding_spec import (
    CategoricalSpec,
    NumericSpec,
    PeriodicNumbers,
    PiecewiseNumbers,
    PlainNumbers,
    RangedNumbers,
)
from mtnas.routes.schemes.by_name import NAMED_ROUTES, Size
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.measuring.evaluate import of_candidate
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings

SEEDS, RATES, WEIGHT_DECAY, DROPOUT = 4, (1e-3, 4e-3), 0.3, 0.1
RECIPE = Recipe(batch_size=256, epochs=12)
SIZE = Size(layers=1, width=64)
SETS = {
    "census-income": (10_000, ("income", "marital", "education")),
    "flights": (20_000, ("dep_late", "arr_late", "cancelled")),
}
EMBEDDED, ONE_HOT = CategoricalSpec(one_hot=0), CategoricalSpec(one_hot=9)
ENCODINGS: dict[str, tuple[NumericSpec, CategoricalSpec]] = {
    "48 ranges": (RangedNumbers(), EMBEDDED),
    "piecewise 48": (PiecewiseNumbers(), EMBEDDED),
    "piecewise 16": (PiecewiseNumbers(bins=16), EMBEDDED),
    "piecewise 48, quantile": (PiecewiseNumbers(prepare="quantile"), EMBEDDED),
    "piecewise 48, one-hot to 9": (PiecewiseNumbers(), ONE_HOT),
    "piecewise 48, quantile, one-hot to 9": (PiecewiseNumbers(prepare="quantile"), ONE_HOT),
    "plain, quantile": (PlainNumbers(prepare="quantile"), EMBEDDED),
    "periodic .05": (PeriodicNumbers(), EMBEDDED),
    "piecewise 48, widths by vocabulary": (PiecewiseNumbers(), CategoricalSpec(one_hot=0, width="vocabulary")),
    "piecewise 48, robust": (PiecewiseNumbers(prepare="robust"), EMBEDDED),
    "periodic .3, quantile": (PeriodicNumbers(deviation=0.3, prepare="quantile"), EMBEDDED),
    "plain": (PlainNumbers(), EMBEDDED),
}


def main() -> None:
    """Every encoding on every set; names on the command line run a part of them."""
    torch.set_num_threads(1)
    facts = {"seeds": SEEDS, "rates": RATES, "weight decay": WEIGHT_DECAY, "dropout": DROPOUT}
    facts |= {"batch": RECIPE.batch_size, "epochs": RECIPE.epochs, "network": f"shared bottom of {SIZE.width}"}
    rows, runs, reference = list[dict[str, Any]](), list[dict[str, Any]](), dict[str, list[float]]()
    known = known_scores()
    for encoding in [name for name in ENCODINGS if not sys.argv[1:] or name in sys.argv[1:]]:
        numeric, categorical = ENCODINGS[encoding]
        for name, (num_rows, labels) in SETS.items():
            tasks = tuple(Task(name=label, kind=TaskKind.BINARY, label=label) for label in labels)
            source = CatalogueSource(name=name)
            spec = DataSpec(source=source, max_rows=num_rows, numeric=numeric, categorical=categorical)
            data = load(spec, tasks, access=access())
            by_rate = known.get((name, encoding)) or scores(data, tasks)
            runs += [{"set": name, "encoding": encoding, "lr": rate, "auc": found} for rate, found in by_rate.items()]
            best = max(by_rate, key=lambda rate: fmean(by_rate[rate]))
            against = reference.setdefault(name, by_rate[best])
            difference, low, high = interval([a - b for a, b in zip(by_rate[best], against, strict=True)])
            row = {"set": name, "encoding": encoding, "lr": best, "mean AUC": round(fmean(by_rate[best]), 5)}
            row |= {"against 48 ranges": round(difference, 5), "low": round(low, 5), "high": round(high, 5)}
            rows.append(row | {"width": data.inputs.width})
            facts |= {f"{name} rows": f"{len(data.parts['train'])} to train on, {len(data.parts['valid'])} of valid"}
            print(rows[-1], flush=True)
        publish(
            "numeric_encodings",
            title="Encodings of numbers and categories: mean AUC of the tasks on valid",
            facts=facts,
            rows=sorted(rows, key=lambda row: row["set"]),
            runs=runs,
            reading=READING,
        )


READING = (
    "Curves of 48 segments beat ranges on flights and equal them on Census-Income; indicators for up to nine values "
    "add to that on both. Quantiles help the curves, but not beside indicators. These are the defaults."
)


def known_scores() -> dict[tuple[str, str], dict[float, list[float]]]:
    """What an earlier, perhaps interrupted, run has written down."""
    path = RESULTS / "numeric_encodings.json"
    found: dict[tuple[str, str], dict[float, list[float]]] = {}
    for run in json.loads(path.read_text())["runs"] if path.exists() else ():
        found.setdefault((run["set"], run["encoding"]), {})[run["lr"]] = run["auc"]
    return found


def scores(data: EncodedData, tasks: tuple[Task, ...]) -> dict[float, list[float]]:
    """The tasks' mean AUC on ``valid`` by learning rate, of every seed's best weights."""
    named = NAMED_ROUTES["shared_bottom"](towers(tasks), SIZE)
    settings = [
        Settings(lr=rate, weight_decay=WEIGHT_DECAY, dropout=DROPOUT, seed=seed)
        for rate in RATES
        for seed in range(SEEDS)
    ]
    trainer = PackTrainer(
        graph=named.graph,
        inputs=data.inputs,
        routes=[named.route] * len(settings),
        settings=settings,
        tasks=tasks,
        data=ResidentData.of(data, torch.device("cpu")),
        recipe=RECIPE,
        parts=("train", "search"),
    )
    for _ in trainer.run():
        pass
    metrics = trainer.best_metrics(("valid",))["valid"]
    found = [of_candidate(metrics, k) for k in range(len(settings))]
    means = [fmean(float(figures["auc"]) for figures in one.values()) for one in found]
    return {rate: means[i * SEEDS : (i + 1) * SEEDS] for i, rate in enumerate(RATES)}


if __name__ == "__main__":
    main()
