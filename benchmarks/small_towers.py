"""Pareto sweep over task weights with and without small towers (METHODS.md section 4).

Two tasks, w_1 in {.1 ... .9} and w_2 = 1 - w_1, gamma in {0, .1, .5, 1}; per seed the front over the weights and its
hypervolume against a fixed reference point, on ``test``, checkpoints chosen on ``valid``. Multi-MNIST: two digits of
MNIST on a 36 x 36 image, shifted to opposite corners, maximum of the two; tasks are the left and the right digit; a
perceptron reads the pixels. Census-Income: income and never married. All candidates of a set are a few packs.
"""

from __future__ import annotations

import gzip
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import altair
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.packs import access, towers, train_pack
from benchmarks.publishing import interval, publish
from mtnas.data import load
from mtnas.routes import InputShape
from mtnas.routes.schemes.by_name import Size, shared_bottom
from mtnas.search.fronts.hypervolume import hypervolume
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.recipe import Recipe
from mtnas.training_options import AuxiliarySpec
from mtnas.trials import Settings

GAMMAS, FIRST_WEIGHTS, SEEDS = (0.0, 0.1, 0.5, 1.0), (0.1, 0.3, 0.5, 0.7, 0.9), 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """Images as training data, in the shape of ``EncodedData``."""

    categorical: npt.NDArray[np.int32]
    numeric: npt.NDArray[np.float32]
    bags: tuple[()]
    labels: npt.NDArray[np.float32]
    parts: dict[str, npt.NDArray[np.int64]]
    inputs: InputShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One data set: its tasks, model and reference point (metrics that any trained model beats)."""

    name: str
    tasks: tuple[Task, Task]
    size: Size
    recipe: Recipe
    lr: float
    metric: str
    reference: tuple[float, float]


def digit(name: str) -> Task:
    """A task of ten classes."""
    return Task(name=name, kind=TaskKind.MULTICLASS, label=name, num_classes=10, tower=(16,))


MNIST = Sweep(
    name="multi-mnist",
    tasks=(digit("left"), digit("right")),
    size=Size(layers=1, width=24),
    recipe=Recipe(batch_size=256, epochs=6, auxiliary=AuxiliarySpec(shape="linear")),
    lr=3e-3,
    metric="accuracy",
    reference=(0.5, 0.5),
)
CENSUS = Sweep(
    name="census-income",
    tasks=(
        Task(name="income", kind=TaskKind.BINARY, label="income", tower=(8,)),
        Task(name="marital", kind=TaskKind.BINARY, label="marital", tower=(8,)),
    ),
    size=Size(layers=1, width=8),
    recipe=Recipe(batch_size=256, epochs=5, auxiliary=AuxiliarySpec(shape="linear")),
    lr=4e-3,
    metric="auc",
    reference=(0.85, 0.95),
)


def main() -> None:
    """Both sets, or the one that is named on the command line."""
    torch.set_num_threads(1)
    census = DataSpec(source=CatalogueSource(name="census-income"), max_rows=25_000)
    rows, points = [], []
    for sweep in (MNIST, CENSUS):
        data = multi_mnist(rows=6_000) if sweep is MNIST else load(census, sweep.tasks, access=access())
        found = swept(sweep, data)
        points += found
        rows += table(sweep, found)
        for row in rows[-len(GAMMAS) :]:
            print(row, file=sys.stderr, flush=True)
    publish(
        "small_towers",
        title="Small towers: hypervolume of the front over task weights, by gamma",
        facts={
            "first task's weights": FIRST_WEIGHTS,
            "seeds": SEEDS,
            "reference points": {sweep.name: sweep.reference for sweep in (MNIST, CENSUS)},
            "rows": "multi-mnist 6,000 + 1,500 + 1,500 images, census-income 25,000 sampled",
            "model": "shared-bottom, one layer of 24 (multi-mnist) or 8 units (census-income); linear small towers",
        },
        rows=rows,
        chart=plot(points),
        reading=reading(rows),
    )


def swept(sweep: Sweep, data: Arrays) -> list[dict[str, object]]:
    """One point per gamma, weight and seed; a pack per weight."""
    named = shared_bottom(towers(sweep.tasks), sweep.size)
    points: list[dict[str, object]] = []
    first, second = sweep.tasks
    for weight in FIRST_WEIGHTS:
        places = [(gamma, seed) for gamma in GAMMAS for seed in range(SEEDS)]
        weights = {first.name: 2 * weight, second.name: 2 * (1 - weight)}
        settings = [Settings(lr=sweep.lr, seed=s, data_seed=s, gamma=g, task_weights=weights) for g, s in places]
        trained = train_pack(data, sweep.tasks, named.graph, [named.route] * len(places), settings, sweep.recipe)
        for (gamma, seed), found in zip(places, trained, strict=True):
            metrics = {"first": found.test[first.name][sweep.metric], "second": found.test[second.name][sweep.metric]}
            points.append({"data": sweep.name, "gamma": gamma, "seed": seed, "w1": weight, **metrics})
    return points


def table(sweep: Sweep, points: list[dict[str, object]]) -> list[dict[str, object]]:
    """Per gamma: hypervolume over seeds, its paired difference to gamma 0, and the means at equal weights."""
    volumes = {
        gamma: [
            hypervolume(
                np.array(
                    [[p["first"], p["second"]] for p in points if p["gamma"] == gamma and p["seed"] == seed], float
                ),
                np.array(sweep.reference),
            )
            for seed in range(SEEDS)
        ]
        for gamma in GAMMAS
    }
    rows: list[dict[str, object]] = []
    for gamma in GAMMAS:
        change, low, high = interval([a - b for a, b in zip(volumes[gamma], volumes[0.0], strict=True)])
        even = [p for p in points if p["gamma"] == gamma and p["w1"] == 0.5]
        rows.append(
            {"data": sweep.name, "gamma": gamma, "hypervolume": fmean(volumes[gamma]), "against gamma 0": change}
            | {"low": low, "high": high}
            | {f"{name} task at w1 = .5": fmean(float(str(p[name])) for p in even) for name in ("first", "second")}
        )
    return rows


def multi_mnist(*, rows: int) -> Arrays:
    """Pairs of digits; training and validation images come from MNIST's training file, test images from its other."""
    folder = Path(os.environ["MTNAS_DATA_DIR"]) / "mnist"
    images, labels = [], []
    for file, count, seed in (("train", rows + rows // 4, 0), ("t10k", rows // 4, 1)):
        digits = _idx(folder / f"{file}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        classes = _idx(folder / f"{file}-labels-idx1-ubyte.gz", 8)
        rng = np.random.default_rng(seed)
        left, right = rng.integers(0, len(digits), (2, count))
        canvas = np.zeros((count, 36, 36), np.uint8)
        canvas[:, :28, :28] = digits[left]
        canvas[:, 8:, 8:] = np.maximum(canvas[:, 8:, 8:], digits[right])
        images.append(canvas.reshape(count, -1))
        labels.append(np.stack([classes[left], classes[right]], 1))
    numeric = (np.concatenate(images).astype(np.float32) / 255 - 0.1307) / 0.3081
    cuts = np.split(np.arange(len(numeric)), [rows * 7 // 8, rows, rows + rows // 4])
    return Arrays(
        categorical=np.zeros((len(numeric), 0), np.int32),
        numeric=numeric,
        bags=(),
        labels=np.concatenate(labels).astype(np.float32),
        parts=dict(zip(("train", "search", "valid", "test"), cuts, strict=True)),
        inputs=InputShape(num_numeric=numeric.shape[1]),
    )


def _idx(path: Path, header: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(gzip.decompress(path.read_bytes())[header:], np.uint8)


def reading(rows: list[dict[str, object]]) -> str:
    """What the intervals of the difference to gamma 0 say."""
    said = []
    for row in rows:
        if row["gamma"] != 0.0:
            low, high = float(str(row["low"])), float(str(row["high"]))
            verdict = "more" if low > 0 else "less" if high < 0 else "no difference that the seeds can tell"
            said.append(f"{row['data']}, gamma {row['gamma']}: {verdict}")
    return "Hypervolume against gamma 0, paired by seed (95 % interval): " + "; ".join(said) + "."


def plot(points: list[dict[str, object]]) -> altair.FacetChart:
    """Mean points of the sweep by gamma."""
    values = []
    for data, gamma, weight in dict.fromkeys((p["data"], p["gamma"], p["w1"]) for p in points):
        at = [p for p in points if (p["data"], p["gamma"], p["w1"]) == (data, gamma, weight)]
        means = {name: fmean(float(str(p[name])) for p in at) for name in ("first", "second")}
        values.append({"data": data, "gamma": str(gamma), "w1": weight, **means})
    chart = altair.Chart(altair.Data(values=values)).mark_line(point=True)
    chart = chart.encode(
        x=altair.X("first:Q", scale=altair.Scale(zero=False), title="first task (accuracy or AUC)"),
        y=altair.Y("second:Q", scale=altair.Scale(zero=False), title="second task"),
        color="gamma:N",
        order="w1:Q",
    )
    faceted: altair.FacetChart = chart.properties(width=280, height=260).facet("data:N")
    return faceted.resolve_scale(x="independent", y="independent")


if __name__ == "__main__":
    main()
