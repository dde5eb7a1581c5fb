"""Rows that stay on disk give the batches that resident rows give, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from mtnas.training.feeding.batches import BatchStream, rows_in_order
from mtnas.training.feeding.rows import Batch, ResidentData, TrainingData
from mtnas.training.feeding.streamed import StreamedData
from mtnas.training.feeding.task_batches import TaskBatchStream, own_rows_in_order
from mtnas.training.recipe import Recipe
from mtnas.training.step.reweighting import label_directions
from mtnas.training_options import SvdReweighting
from mtnas.trials import Settings
from tests.training.problem import (
    INPUTS,
    TASKS,
    Arrays,
    arrays,
    differences,
    routes_of_one_shape,
    trained,
    trainer,
)

CPU = torch.device("cpu")
SEEDS = (3, 0, 3)
SET_MIB = 192
BOUND_MIB = SET_MIB // 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WithImages(Arrays):
    """Rows with two pixels each."""

    images: npt.NDArray[np.uint8]


def mapped(folder: Path) -> WithImages:
    """The rows of ``problem``, every array of inputs mapped from a file of its own."""
    found = arrays()

    def on_disk(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        np.save(folder / f"{name}.npy", array)
        return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="c"))

    images = np.random.default_rng(5).integers(0, 256, (len(found.labels), 2)).astype(np.uint8)
    return WithImages(
        categorical=on_disk("categorical", found.categorical),
        numeric=on_disk("numeric", found.numeric),
        bags=tuple((on_disk(f"o{n}", o), on_disk(f"v{n}", v)) for n, (o, v) in enumerate(found.bags)),
        labels=on_disk("labels", found.labels),
        parts={name: on_disk(name, rows) for name, rows in found.parts.items()},
        images=on_disk("images", images),
    )


@pytest.fixture
def both(tmp_path: Path) -> tuple[ResidentData, StreamedData]:
    found = mapped(tmp_path)
    return ResidentData.of(found, CPU, dtype=torch.float64), StreamedData.of(found, CPU, dtype=torch.float64)


def tensors(batch: Batch) -> list[Tensor]:
    inputs = [
        batch.categorical,
        batch.numeric,
        batch.labels,
        *(x for bag in batch.bags for x in (bag.values, bag.weights)),
    ]
    return [x.nan_to_num(-7.0) for x in inputs] + ([] if batch.seed_of is None else [batch.seed_of])


def assert_same(one: Iterator[Batch], two: Iterator[Batch]) -> int:
    """How many batches there are."""
    count = 0
    for left, right in zip(one, two, strict=True):
        count += 1
        for x, y in zip(tensors(left), tensors(right), strict=True):
            assert torch.equal(x, y)
    return count


class TestBatches:
    @pytest.mark.parametrize("kind", [BatchStream, TaskBatchStream])
    @pytest.mark.parametrize("seeds", [SEEDS, (0,)])
    def test_training_batches_are_the_same_in_the_same_order(
        self, kind: Any, seeds: tuple[int, ...], both: tuple[ResidentData, StreamedData]
    ) -> None:
        one, two = (kind(data, parts=("train", "search"), batch_size=24, data_seeds=seeds) for data in both)
        assert one.num_batches == two.num_batches > 3
        for epoch, first in ((0, 0), (1, 2)):
            assert assert_same(one.epoch(epoch, first_step=first), two.epoch(epoch, first_step=first)) > 1

    @pytest.mark.parametrize("in_order", [rows_in_order, own_rows_in_order])
    def test_so_are_those_of_evaluations(self, in_order: Any, both: tuple[ResidentData, StreamedData]) -> None:
        one, two = (in_order(data, parts=("valid", "test"), batch_size=30) for data in both)
        assert assert_same(one, two) > 1

    def test_no_thread_is_left_when_somebody_stops_early(self, both: tuple[ResidentData, StreamedData]) -> None:
        import threading

        batches = rows_in_order(both[1], parts=("train",), batch_size=8)
        next(batches)
        assert any(thread.name.startswith("rows") for thread in threading.enumerate())
        batches.close()  # type: ignore[attr-defined]
        assert not any(thread.name.startswith("rows") for thread in threading.enumerate())

    def test_what_cannot_be_read_is_raised_where_the_batch_is_wanted(self, tmp_path: Path) -> None:
        found = mapped(tmp_path)
        broken = StreamedData.of(replace(found, numeric=found.numeric[:10]), CPU)
        with pytest.raises(IndexError):
            list(rows_in_order(broken, parts=("train",), batch_size=8))


class TestTraining:
    @pytest.mark.parametrize("own_rows", [False, True])
    def test_training_and_exact_metrics_are_bit_by_bit_those_of_resident_rows(
        self, own_rows: bool, both: tuple[ResidentData, StreamedData]
    ) -> None:
        recipe = Recipe(
            batch_size=32,
            epochs=2,
            evaluate_every=3,
            precision="float64",
            own_rows=own_rows,
            reweighting=SvdReweighting(),
        )
        graph, routes = routes_of_one_shape(3)
        settings = [Settings(lr=0.01 * (k + 1), seed=k, data_seed=seed, dropout=0.1) for k, seed in enumerate(SEEDS)]
        shape = replace(INPUTS, num_numeric=INPUTS.num_numeric + 2)  # and the pixels
        packs = [trainer(graph, routes, settings, recipe, data=data, inputs=shape) for data in both]
        one, two = (trained(pack) for pack in packs)
        assert max(differences(one, two)) == 0
        for part in ("search", "test"):
            for (task, left), right in zip(
                packs[0].evaluate(part).items(), packs[1].evaluate(part).values(), strict=True
            ):
                for name, values in left.items():
                    assert torch.equal(values, right[name]), (task, name)

    def test_directions_of_labels_are_the_same(self, both: tuple[TrainingData, TrainingData]) -> None:
        one, two = (label_directions(data, TASKS, ("train",)) for data in both)
        assert torch.equal(one, two)


class TestMemory:
    def large(self, folder: Path, mib: int) -> Path:
        """A set of so many MiB: a file of zeros, which takes no disk."""
        folder.mkdir()
        shape = (mib * 2**20 // (4 * 256), 256)
        np.lib.format.open_memmap(folder / "numeric.npy", mode="w+", dtype=np.float32, shape=shape)
        return folder

    @pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks of memory are read from /proc")
    @pytest.mark.parametrize(("kind", "bounded"), [("streamed", True), ("resident", False)])
    def test_a_set_larger_than_the_bound_is_trained_on_within_it(
        self, kind: str, bounded: bool, tmp_path: Path
    ) -> None:
        """Batches from all over the set, and an evaluation of a quarter of it; resident rows show that this is much."""
        folders = [str(self.large(tmp_path / name, mib)) for name, mib in (("small", 16), ("large", SET_MIB))]
        command = [sys.executable, "-m", "tests.training.streaming_process", *folders, kind, "30"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
        assert ended.returncode == 0, ended.stderr
        grown = float(ended.stdout.split()[-1])
        assert (grown < BOUND_MIB) is bounded, grown
