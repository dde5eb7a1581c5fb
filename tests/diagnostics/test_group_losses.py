"""Estimates of what groups of tasks would reach, from one network trained on all (Grad-TAG)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch

from mtnas.data import DataAccess, load
from mtnas.diagnostics.group_losses import Group, affinities, best_partition, group_losses
from mtnas.routes import NAMED_ROUTES, Tower
from mtnas.routes.schemes.by_name import Size
from mtnas.search.known_schemes import partitions
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.searches.route_prior import groups_by_affinity
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings

TASKS = tuple(Task(name=f"task_{n}", kind=TaskKind.REGRESSION, label=f"task_{n}", tower=()) for n in range(4))
TRUTH = (0, 0, 1, 1)


@cache
def trained() -> PackTrainer:
    """A narrow bottom that two clusters of tasks have to share."""
    options = {"num_tasks": 4, "clusters": 2, "rows": 2_000, "dims": 8, "waves": 3}
    with TemporaryDirectory() as folder:
        source = CatalogueSource(name="planted", options=options)
        data = load(DataSpec(source=source), TASKS, access=DataAccess(cache=Path(folder)))
    towers = [Tower(task=task.name, reads="", hidden=(), outputs=1) for task in TASKS]
    named = NAMED_ROUTES["shared_bottom"](towers, Size(layers=1, width=12))
    trainer = PackTrainer(
        graph=named.graph,
        inputs=data.inputs,
        routes=[named.route],
        settings=[Settings(lr=0.02, dropout=0.0)],
        tasks=TASKS,
        data=ResidentData.of(data, torch.device("cpu")),
        recipe=Recipe(batch_size=64, epochs=8),
        parts=("train",),
    )
    for _ in trainer.run():
        pass
    return trainer


@cache
def estimated() -> dict[Group, dict[int, float]]:
    made = trained()
    return group_losses(made.net, made.selection, made.data, TASKS, num_rows=512, directions=64)


def test_every_group_has_a_loss_for_each_of_its_tasks() -> None:
    losses = estimated()
    assert len(losses) == 2**4 - 1
    assert all(of_group.keys() == group for group, of_group in losses.items())


def test_the_best_partition_of_two_groups_is_the_planted_one() -> None:
    losses = estimated()
    assert best_partition(losses, [p for p in partitions(4) if max(p) == 1]) == TRUTH
    assert groups_by_affinity(affinities(losses, 4), count=2) == TRUTH


def test_weights_are_as_before_and_asking_again_gives_the_same() -> None:
    made = trained()
    before = {name: tensor.clone() for name, tensor in made.net.state_dict().items()}
    again = group_losses(made.net, made.selection, made.data, TASKS, num_rows=512, directions=64)
    assert again == estimated()
    for name, tensor in made.net.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_a_group_trained_by_itself_fits_its_own_rows_better() -> None:
    """In the rows that it was fitted on; on others a task's own training should not be worse by much."""
    made = trained()
    own = group_losses(made.net, made.selection, made.data, TASKS, judge_on="train", num_rows=512, directions=64)
    together = own[Group(range(4))]
    for task in range(4):
        assert own[Group({task})][task] < together[task] * (1 + 1e-3)


@pytest.mark.parametrize("name", ["directions", "seed"])
def test_every_setting_changes_something(name: str) -> None:
    made = trained()
    changed = {"directions": 16, "seed": 5}[name]
    options = {"num_rows": 512, "directions": 64, name: changed}
    assert group_losses(made.net, made.selection, made.data, TASKS, **options) != estimated()


def without_labels(part: str, task: int) -> dict[Group, dict[int, float]]:
    made = trained()
    labels = made.data.labels.clone()
    labels[made.data.rows_of((part,)), task] = torch.nan
    masked = replace(made.data, labels=labels)
    return group_losses(made.net, made.selection, masked, TASKS, num_rows=512, directions=64)


def test_a_task_without_labels_to_fit_is_left_out_of_every_group() -> None:
    losses = without_labels("train", 2)
    for group in losses:
        for task, loss in losses[group].items():
            others = group - {2}
            expected = estimated()[others][task] if task != 2 else None
            assert expected is None or loss == pytest.approx(expected, rel=1e-3), "its company changes nothing"


def test_a_task_without_labels_to_judge_on_helps_and_hinders_nobody() -> None:
    losses = without_labels("search", 2)
    found = affinities(losses, 4)
    assert [row[2] for row in found] == [0.0] * 4, "nothing is known, which is not the best affinity of all"
    assert found[0][1] == pytest.approx(affinities(estimated(), 4)[0][1])
    assert best_partition(losses, [TRUTH, (0, 1, 0, 1)]) == TRUTH
