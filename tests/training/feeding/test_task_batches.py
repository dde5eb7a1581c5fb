"""Batches of rows that belong to tasks: every task's own rows in turn, resumable anywhere; training and evaluation on
them equal those on mixed rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from mtnas.errors import DataError, TrainingError
from mtnas.routes import InputShape, Tower
from mtnas.routes.schemes.by_name import Size, single_task
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import Batch, ResidentData
from mtnas.training.feeding.task_batches import TaskBatchStream, own_labels_of, own_rows_in_order
from mtnas.training.measuring.evaluate import evaluate
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.training_options import AuxiliarySpec, FamoBalancer, GdodBalancer, UncertaintyBalancer
from mtnas.trials import Settings
from search_spaces.gumbel_matrix import gumbel_matrix_space

COUNTS = (7, 20, 33)
TASKS = tuple(Task(name=name, kind=TaskKind.REGRESSION, label=name, tower=(3,)) for name in "abc")
TOWERS = [Tower(task=task.name, reads="", hidden=task.tower) for task in TASKS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows whose first number is their own and whose second is their task's; a label is the row's number."""

    categorical: npt.NDArray[np.int32]
    numeric: npt.NDArray[np.float32]
    bags: tuple[()]
    labels: npt.NDArray[np.float32]
    parts: dict[str, npt.NDArray[np.int64]]


def data(counts: tuple[int, ...] = COUNTS) -> ResidentData:
    num_rows = 2 * sum(counts)
    task = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), 2 * np.array(counts)))
    labels = np.full((num_rows, len(counts)), np.nan, np.float32)
    labels[np.arange(num_rows), task] = np.arange(num_rows)
    train = np.concatenate([np.flatnonzero(task == t)[: counts[t]] for t in range(len(counts))])
    rest = np.setdiff1d(np.arange(num_rows), train)
    rows = Rows(
        categorical=np.zeros((num_rows, 0), np.int32),
        numeric=np.stack([np.arange(num_rows), task], 1).astype(np.float32),
        bags=(),
        labels=labels,
        parts={"train": np.sort(train), "search": rest[:0], "valid": rest, "test": rest[:0]},
    )
    return ResidentData.of(rows, torch.device("cpu"), dtype=torch.float64)


def stream(batch_size: int = 4, seeds: tuple[int, ...] = (0,)) -> TaskBatchStream:
    return TaskBatchStream(data(), parts=("train",), batch_size=batch_size, data_seeds=seeds)


def numbers(batch: Batch) -> torch.Tensor:
    """Row numbers ``[S, B, T]``."""
    return batch.numeric[..., 0].unflatten(1, (-1, len(COUNTS)))


def test_every_batch_holds_as_many_rows_of_every_task_in_turn_beside_their_own_labels() -> None:
    for batch in stream().epoch(0):
        assert batch.labels.shape == (1, 4, 3)
        assert batch.numeric[0, :, 1].tolist() == [0, 1, 2] * 4
        assert torch.equal(batch.labels, numbers(batch))


def test_a_task_goes_through_all_its_rows_before_it_begins_again() -> None:
    taken = torch.cat([numbers(batch)[0] for epoch in range(20) for batch in stream().epoch(epoch)])
    for task, count in enumerate(COUNTS):
        cycles = taken[: len(taken) // count * count, task].view(-1, count)
        assert len(cycles) > 1
        assert all(len(set(cycle.tolist())) == count for cycle in cycles)
        assert not torch.equal(cycles[0], cycles[1])


def test_an_epoch_reads_about_as_many_rows_as_there_are() -> None:
    assert stream().num_batches == sum(COUNTS) // (4 * 3)
    assert stream(batch_size=500).num_batches == 1


def test_it_resumes_at_any_step() -> None:
    whole = [numbers(batch) for epoch in range(3) for batch in stream().epoch(epoch)]
    num_batches = stream().num_batches
    for first in range(len(whole)):
        epoch, step = divmod(first, num_batches)
        assert torch.equal(numbers(next(stream().epoch(epoch, first_step=step))), whole[first])


def test_candidates_of_one_data_seed_read_the_same_rows() -> None:
    both = stream(seeds=(5, 6, 5))
    batch = next(both.epoch(1))
    assert batch.seed_of is not None
    assert batch.seed_of.tolist() == [0, 1, 0]
    assert torch.equal(numbers(batch)[1], numbers(next(stream(seeds=(6,)).epoch(1)))[0])
    assert not torch.equal(numbers(batch)[0], numbers(batch)[1])


def test_a_task_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="task 2 of 2"):
        TaskBatchStream(data((5, 0)), parts=("train",), batch_size=2, data_seeds=[0])
    with pytest.raises(TrainingError):
        stream(batch_size=0)


def test_evaluation_sees_every_labelled_row_once() -> None:
    found = data()
    batches = list(own_rows_in_order(found, parts=("valid",), batch_size=10))
    labels = torch.cat([batch.labels[0] for batch in batches])
    assert torch.equal(labels.nan_to_num(-1), own_labels_of(found, ("valid",)).nan_to_num(-1))
    for task in range(len(COUNTS)):
        seen = labels[~labels[:, task].isnan(), task]
        expected = found.labels[found.rows_of(("valid",)), task]
        assert sorted(seen.tolist()) == sorted(expected[~expected.isnan()].tolist())


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "small towers": {"auxiliary": AuxiliarySpec(gamma=0.5)},
    "weighed losses": {"balancer": UncertaintyBalancer()},
    "weighed gradients": {"balancer": GdodBalancer()},
    "late losses": {"balancer": FamoBalancer()},
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_training_and_metrics_equal_those_of_a_pack_that_shows_every_row_to_every_task(variant: dict[str, Any]) -> None:
    """The same rows at every step, once as own rows, once as a mixed batch whose other labels are missing."""
    space = gumbel_matrix_space(TOWERS, layers=2, components=3, width=4)
    space = replace(space, inputs=InputShape(num_numeric=2))
    route = space.sample(np.random.default_rng(0))
    found = data()
    packs = []
    for own_rows in (True, False):
        pack = PackTrainer(
            graph=space.graph,
            inputs=InputShape(num_numeric=2),
            routes=[route],
            settings=[Settings(lr=0.01)],
            tasks=TASKS,
            data=found,
            recipe=Recipe(batch_size=4, epochs=2, precision="float64", own_rows=own_rows, **variant),
            parts=("train",),
        )
        packs.append(pack)
    own, mixed = packs
    rows = [
        numbers(batch)
        for epoch in range(2)
        for batch in TaskBatchStream(found, parts=("train",), batch_size=4, data_seeds=[0]).epoch(epoch)
    ]
    mixed._stream = _Given(found, [of_step.flatten(1).long() for of_step in rows])  # type: ignore[assignment]
    looks = [[float(look.scores[0]) for look in pack.run()] for pack in (own, mixed)]
    assert looks[0] == pytest.approx(looks[1], rel=1e-9)
    metrics = [evaluate(pack.net, pack.selection, found, TASKS, ("valid",)) for pack in (own, mixed)]
    for task in TASKS:
        assert float(metrics[0][task.name]["rmse"][0]) == pytest.approx(float(metrics[1][task.name]["rmse"][0]))


class _Given:
    """A stream of these rows."""

    def __init__(self, found: ResidentData, rows: list[torch.Tensor]) -> None:
        self._data, self._rows, self.num_batches = found, rows, len(rows) // 2

    def epoch(self, epoch: int, *, first_step: int = 0) -> list[Batch]:
        begin = epoch * self.num_batches
        return [self._data.gather(rows) for rows in self._rows[begin + first_step : begin + self.num_batches]]


def test_a_single_task_network_learns_from_its_own_rows_alone() -> None:
    """Other tasks' labels change nothing in a tower and bottom of its own."""
    named = single_task(TOWERS, Size(layers=1, width=4))
    nets = []
    for change in (0.0, 100.0):
        found = data()
        found.labels[:, 1:] += change
        pack = PackTrainer(
            graph=named.graph,
            inputs=InputShape(num_numeric=2),
            routes=[named.route],
            settings=[Settings(lr=0.01)],
            tasks=TASKS,
            data=found,
            recipe=Recipe(batch_size=4, epochs=1, precision="float64", own_rows=True, evaluate_every=100),
            parts=("train",),
        )
        for batch in pack._stream.epoch(0):
            pack._train_step(batch)
        nets.append(next(pack.net.banks.children()).weights[0].detach())  # type: ignore[union-attr,index]
    assert torch.equal(nets[0][:, 0], nets[1][:, 0])
    assert not torch.equal(nets[0][:, 1], nets[1][:, 1])
