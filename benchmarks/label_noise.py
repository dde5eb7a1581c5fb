"""SVD task reweighting against equal weights when one task's labels are partly random (METHODS.md section 5).

Census-Income, income and never married; 20 % of one task's training labels are drawn anew from that task's own label
frequencies. Validation and test labels stay clean. Shared-bottom, all seeds in one pack, learning rate fixed.
"""

from __future__ import annotations

from dataclasses import replace

import altair
import numpy as np
import torch

from benchmarks.packs import access, towers, train_pack
from benchmarks.publishing import interval, publish
from mtnas.data import EncodedData, load
from mtnas.routes.schemes.by_name import Size, shared_bottom
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.step.reweighting import reweighted
from mtnas.training_options import SvdReweighting
from mtnas.trials import Settings

ROWS, SEEDS, EPOCHS, BATCH, RATE, SHARE = 40_000, 10, 4, 256, 2e-3, 0.2
TASKS = tuple(Task(name=name, kind=TaskKind.BINARY, label=name) for name in ("income", "marital"))
PARTS = ("train", "search")
SIZE = Size(layers=1, width=16)
METHODS = {
    "equal": None,
    "svd, rank 1": SvdReweighting(rank=1),
    "svd, rank 1, 4096 rows": SvdReweighting(rank=1, rows=4096),
}


def main() -> None:
    """Every method under every place of the noise."""
    torch.set_num_threads(1)
    spec = DataSpec(source=CatalogueSource(name="census-income"), max_rows=ROWS)
    data = load(spec, TASKS, access=access())
    rows = []
    for noisy in (None, *(task.name for task in TASKS)):
        disturbed = data if noisy is None else with_random_labels(data, noisy, seed=0)
        reference: dict[str, list[float]] = {}
        for name, method in METHODS.items():
            scores = measured(disturbed, method)
            scores["mean of tasks"] = [sum(both) / len(both) for both in zip(*scores.values(), strict=True)]
            reference = reference or scores
            weights = weighed(disturbed, method)
            for task, values in scores.items():
                difference, low, high = interval([a - b for a, b in zip(values, reference[task], strict=True)])
                rows.append({"random labels in": noisy or "none", "method": name, "weights": weights, "task": task})
                rows[-1] |= {"test AUC": interval(values)[0], "against equal": difference, "low": low, "high": high}
            print(rows[-1], flush=True)
    publish(
        "label_noise",
        title="Census-Income with 20 % random training labels in one task: SVD reweighting against equal weights",
        facts={
            "rows": f"{ROWS} sampled",
            "epochs": EPOCHS,
            "batch": BATCH,
            "lr": RATE,
            "seeds": SEEDS,
            "model": f"shared-bottom {SIZE.width}",
            "data digest": data.digest[:12],
        },
        rows=rows,
        chart=plot(rows),
        reading=reading(rows),
    )


def with_random_labels(data: EncodedData, task: str, *, seed: int) -> EncodedData:
    """The data with a share of one task's training labels redrawn from its own labels."""
    rng, labels = np.random.default_rng(seed), data.labels.copy()
    column = [t.name for t in TASKS].index(task)
    trained = np.concatenate([data.parts[part] for part in PARTS])
    chosen = trained[rng.random(len(trained)) < SHARE]
    labels[chosen, column] = rng.permutation(labels[trained, column])[: len(chosen)]
    return replace(data, labels=labels)


def measured(data: EncodedData, method: SvdReweighting | None) -> dict[str, list[float]]:
    """Test AUC of every seed, by task."""
    named = shared_bottom(towers(TASKS), SIZE)
    recipe = Recipe(batch_size=BATCH, epochs=EPOCHS, reweighting=method)
    settings = [Settings(lr=RATE, seed=seed, data_seed=seed, dropout=0.1) for seed in range(SEEDS)]
    trained = train_pack(data, TASKS, named.graph, [named.route] * SEEDS, settings, recipe, parts=PARTS)
    return {task.name: [t.test[task.name]["auc"] for t in trained] for task in TASKS}


def weighed(data: EncodedData, method: SvdReweighting | None) -> str:
    """The weights a method gives, as text."""
    if method is None:
        return "1, 1"
    found = reweighted(ResidentData.of(data, torch.device("cpu")), TASKS, PARTS, method)
    return ", ".join(f"{weight:.3f}" for weight in found.tolist())


def reading(rows: list[dict[str, object]]) -> str:
    """Where the interval of the difference leaves zero out."""
    better = [row for row in rows if float(str(row["low"])) > 0]
    worse = [row for row in rows if float(str(row["high"])) < 0]
    name = "{random labels in} noisy / {method} / {task}"
    return (
        "Differences to equal weights are paired by seed, with 95 % intervals. "
        f"Better: {'; '.join(name.format(**row) for row in better) or 'nowhere'}. "
        f"Worse: {'; '.join(name.format(**row) for row in worse) or 'nowhere'}."
    )


def plot(rows: list[dict[str, object]]) -> altair.FacetChart:
    """Differences with intervals, by place of the noise."""
    values = [
        {"noisy": row["random labels in"], "difference": row["against equal"]}
        | {key: row[key] for key in ("method", "task", "low", "high")}
        for row in rows
        if row["method"] != "equal"
    ]
    base = altair.Chart(altair.Data(values=values))
    rule = base.mark_rule().encode(
        x=altair.X("low:Q", title="test AUC minus equal weights"), x2="high:Q", y="task:N", yOffset="method:N"
    )
    color = altair.Color("method:N")
    point = base.mark_point(filled=True).encode(x="difference:Q", y="task:N", yOffset="method:N", color=color)
    return (rule + point).properties(width=320, height=120).facet(row=altair.Row("noisy:N", title="random labels in"))


if __name__ == "__main__":
    main()
