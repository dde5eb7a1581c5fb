"""A regression is learnt as well in any unit, and does not drown the tasks beside it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from mtnas.data.labels import describe_labels, targets_of
from mtnas.routes import NAMED_ROUTES, Tower
from mtnas.routes.schemes.by_name import Size
from mtnas.tasks import Loss, Task, TaskKind
from mtnas.training.measuring.evaluate import label_scales, score
from mtnas.training.recipe import Recipe
from mtnas.training.step.small_towers import SmallTowers
from mtnas.training.trainer import PackTrainer
from mtnas.training_options import AuxiliarySpec
from mtnas.trials import Settings
from mtnas.units import Transform
from tests.training.problem import INPUTS, Arrays, arrays, resident, routes_of_one_shape, trainer, weights_of

PRICE = Task(name="price", kind=TaskKind.REGRESSION, label="price", tower=(8,))
SOLD = Task(name="sold", kind=TaskKind.BINARY, label="sold", tower=(8,))
RECIPE = Recipe(batch_size=32, epochs=12)
SETTINGS = Settings(lr=2e-2, dropout=0.0)


def signal(found: Arrays) -> np.ndarray:
    """A figure that a few steps learn."""
    return found.numeric[:, 0].astype(np.float64) + 0.5 * found.numeric[:, 1]


def packed(factor: float, offset: float, price: Task = PRICE, recipe: Recipe = RECIPE) -> PackTrainer:
    """A shared bottom on ``factor * f + offset``, and beside it whether f is positive."""
    found = arrays()
    f = signal(found)
    labels = np.stack([factor * f + offset, f > 0], axis=1)
    described = describe_labels(labels, (price, SOLD), [(), ()], found.parts["train"])
    tasks = tuple(label.completing(task) for label, task in zip(described, (price, SOLD), strict=True))
    data = resident(dataclasses.replace(found, labels=targets_of(labels, described)), dtype=torch.float32)
    towers = [Tower(task=task.name, reads="", hidden=task.tower, outputs=1) for task in tasks]
    named = NAMED_ROUTES["shared_bottom"](towers, Size(layers=1, experts=1, width=16))
    return trainer(named.graph, [named.route], [SETTINGS], recipe, data=data, tasks=tasks, inputs=INPUTS)


def run(pack: PackTrainer) -> dict[str, float]:
    """RMSE in the label's unit, as a share of its deviation, and the neighbour's AUC."""
    for _ in pack.run():
        pass
    found = pack.evaluate("test")
    scales = label_scales(pack.data, pack.tasks, ("test",))
    return {
        "rmse": float(found["price"]["rmse"]),
        "share": float(found["price"]["rmse"]) / float(scales["price"]),
        "auc": float(found["sold"]["auc"]),
        "score": float(score(pack.tasks, found, scales)),
    }


@pytest.mark.parametrize(("factor", "offset"), [(300.0, 1000.0), (69_117.0, 264_466.0), (1e-4, 0.0)])
def test_a_label_in_any_unit_is_learnt_as_the_figure_itself(factor: float, offset: float) -> None:
    plain, other = run(packed(1.0, 0.0)), run(packed(factor, offset))
    assert plain["share"] < 0.5  # in its own unit, 300 f + 1000 stayed at 2.95 deviations
    assert plain["auc"] > 0.9
    # float32 targets differ in the last digit
    assert other["rmse"] == pytest.approx(factor * plain["rmse"], rel=2e-3)
    for figure in ("share", "auc", "score"):
        assert other[figure] == pytest.approx(plain[figure], rel=2e-3)


def test_towers_start_at_the_base_rate_and_the_mean() -> None:
    pack = packed(300.0, 1000.0)
    biases = {
        task: group.biases[-1][0, place] for group in pack.net.tower_groups for place, task in enumerate(group.tasks)
    }
    assert float(biases["price"].detach()) == 0.0
    rate = float(torch.sigmoid(biases["sold"].detach()))
    assert rate == pytest.approx(pack.tasks[1].rates[0], rel=1e-6)
    assert 0.4 < rate < 0.6


def test_small_towers_start_where_the_main_ones_do() -> None:
    pack = packed(1.0, 0.0)
    small = SmallTowers(pack.net, AuxiliarySpec(shape="bottleneck", size=2), [0])
    mains = [group.biases[-1] for group in pack.net.tower_groups]
    for main, group in zip(mains, small.groups, strict=True):
        torch.testing.assert_close(group.biases[-1], main)
    assert any(bool(main.any()) for main in mains)


@pytest.mark.parametrize(
    "price",
    [
        dataclasses.replace(PRICE, loss=Loss.HUBER),
        dataclasses.replace(PRICE, loss=Loss.QUANTILE),
        dataclasses.replace(PRICE, transform=Transform.LOG1P),
    ],
    ids=["huber", "quantile", "log1p"],
)
def test_other_losses_and_transforms_learn_as_well(price: Task) -> None:
    assert run(packed(1.0, 10.0, price))["share"] < 0.6


def test_unknown_rates_start_every_tower_at_zero() -> None:
    graph, routes = routes_of_one_shape(1)
    pack = trainer(graph, routes, [SETTINGS], RECIPE, data=resident(dtype=torch.float32))
    last = {
        name: tensor
        for name, tensor in weights_of(pack).items()
        if name.startswith("tower_groups") and "biases.1" in name
    }
    assert last
    assert all(not tensor.any() for tensor in last.values())
