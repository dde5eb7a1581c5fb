"""Batches: every row once, the same rows for one data seed, resumable anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from mtnas.errors import DataError, TrainingError
from mtnas.training.feeding.batches import BatchStream, row_order, rows_in_order
from mtnas.training.feeding.rows import Batch, ResidentData

CPU = torch.device("cpu")
NUM_ROWS = 103


@dataclass(frozen=True)
class HandMade:
    """Encoded data whose every column tells its row number."""

    categorical: npt.NDArray[np.int32]
    numeric: npt.NDArray[np.float32]
    bags: tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]], ...]
    labels: npt.NDArray[np.float32]
    parts: dict[str, npt.NDArray[np.int64]]


def _bag_lengths() -> npt.NDArray[np.int64]:
    return np.arange(NUM_ROWS) % 4


def _data(*, device: torch.device = CPU, dtype: torch.dtype = torch.float32) -> ResidentData:
    rows = np.arange(NUM_ROWS)
    lengths = _bag_lengths()
    labels = np.stack([rows, rows + 0.5], axis=1).astype(np.float32)
    labels[5, 1] = np.nan
    encoded = HandMade(
        categorical=np.stack([rows, rows + 1000, rows + 2000], axis=1).astype(np.int32),
        numeric=(rows[:, None] * np.ones(2)).astype(np.float32),
        bags=(
            (np.concatenate([[0], np.cumsum(lengths)]), np.repeat(rows, lengths).astype(np.int32)),
            (np.zeros(NUM_ROWS + 1, np.int64), np.zeros(0, np.int32)),
        ),
        labels=labels,
        parts={
            "train": np.arange(0, 70),
            "search": np.arange(70, 80),
            "valid": np.arange(80, NUM_ROWS),
            "test": np.arange(0),
        },
    )
    return ResidentData.of(encoded, device, dtype=dtype)


def _rows(batch: Batch) -> Tensor:
    """Row numbers ``[S, B]`` of a hand-made batch."""
    return batch.labels[..., 0].long()


def _stream(data_seeds: list[int], *, batch_size: int = 16) -> BatchStream:
    return BatchStream(_data(), parts=("train", "search"), batch_size=batch_size, data_seeds=data_seeds)


def test_all_columns_of_a_batch_are_of_its_rows() -> None:
    for batch in _stream([0, 1]).epoch(0):
        rows = _rows(batch)
        assert torch.equal(batch.categorical, torch.stack([rows, rows + 1000, rows + 2000], dim=2))
        assert torch.equal(batch.numeric, rows[..., None].float().expand(-1, -1, 2))
        nan = torch.tensor(torch.nan)
        torch.testing.assert_close(
            batch.labels[..., 1], torch.where(rows == 5, nan, rows + 0.5), equal_nan=True, rtol=0, atol=0
        )


def test_bags_hold_their_values_weighted_to_a_mean() -> None:
    """The mean of a row's bag is the row number here; an empty bag gives zero."""
    (batch,) = rows_in_order(_data(), parts=("train", "search", "valid"), batch_size=1000)
    bag, always_empty = batch.bags
    lengths = torch.from_numpy(_bag_lengths())
    assert bag.values.shape == bag.weights.shape == (1, NUM_ROWS, 3)
    assert torch.equal((bag.weights > 0).sum(2)[0], lengths)
    expected = torch.arange(NUM_ROWS).float() * (lengths > 0)
    torch.testing.assert_close((bag.values * bag.weights).sum(2)[0], expected)
    assert not always_empty.weights.any()
    assert not bag.values[bag.weights == 0].any()


@pytest.mark.parametrize("batch_size", [1, 7, 16, 40, 80])
def test_an_epoch_reads_each_row_at_most_once_and_drops_only_the_rest(batch_size: int) -> None:
    stream = _stream([3], batch_size=batch_size)
    batches = list(stream.epoch(2))
    rows = torch.cat([_rows(batch)[0] for batch in batches])
    assert len(batches) == stream.num_batches == 80 // batch_size
    assert all(batch.num_rows == batch_size for batch in batches)
    assert rows.unique().numel() == rows.numel() == 80 // batch_size * batch_size
    assert rows.max() < 80


def test_fewer_rows_than_a_batch_make_one_batch() -> None:
    stream = _stream([3], batch_size=500)
    (batch,) = stream.epoch(0)
    assert (stream.batch_size, stream.num_batches) == (80, 1)
    assert torch.equal(_rows(batch)[0].sort().values, torch.arange(80))


def test_candidates_of_one_data_seed_share_rows_without_copies() -> None:
    for batch in _stream([4, 4, 4]).epoch(0):
        assert batch.seed_of is None
        assert batch.for_candidates(batch.numeric) is batch.numeric


def test_a_candidate_reads_in_a_pack_what_it_reads_alone() -> None:
    seeds = [9, 2, 9, 5]
    alone = [list(_stream([seed]).epoch(1)) for seed in seeds]
    for step, batch in enumerate(_stream(seeds).epoch(1)):
        assert batch.labels.shape[0] == 3
        together = batch.for_candidates(_rows(batch))
        for position in range(len(seeds)):
            assert torch.equal(together[position], _rows(alone[position][step])[0])


def test_seeds_and_epochs_have_other_orders() -> None:
    orders = [row_order(50, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(not torch.equal(left, right) for i, left in enumerate(orders) for right in orders[:i])
    assert torch.equal(row_order(50, 1, 1), orders[3])


@pytest.mark.parametrize("first_step", [0, 2, 5])
def test_an_epoch_resumes_at_any_step(first_step: int) -> None:
    whole = [_rows(batch) for batch in _stream([1, 2]).epoch(3)]
    rest = [_rows(batch) for batch in _stream([1, 2]).epoch(3, first_step=first_step)]
    assert len(rest) == len(whole) - first_step
    assert all(torch.equal(left, right) for left, right in zip(rest, whole[first_step:], strict=True))


@pytest.mark.parametrize("batch_size", [1, 5, 23, 100])
def test_evaluation_reads_every_row_once_in_order(batch_size: int) -> None:
    data = _data()
    rows = torch.cat([_rows(batch)[0] for batch in rows_in_order(data, parts=("valid",), batch_size=batch_size)])
    assert torch.equal(rows, torch.arange(80, NUM_ROWS))
    assert torch.equal(data.labels_of(("valid",))[:, 0].long(), rows)


def test_double_precision_data_gives_double_precision_batches() -> None:
    (batch,) = rows_in_order(_data(dtype=torch.float64), parts=("valid",), batch_size=100)
    assert batch.numeric.dtype == batch.labels.dtype == batch.bags[0].weights.dtype == torch.float64


def test_read_only_arrays_are_left_alone() -> None:
    data = _data()
    array = np.ones((3, 2), np.float32)
    array.flags.writeable = False
    encoded = HandMade(
        categorical=np.zeros((3, 0), np.int32),
        numeric=array,
        bags=(),
        labels=np.zeros((3, 1), np.float32),
        parts={"train": np.arange(3)},
    )
    data = ResidentData.of(encoded, CPU)
    data.numeric.fill_(7)
    assert (array == 1).all()
    (batch,) = rows_in_order(data, parts=("train",), batch_size=3)
    assert batch.categorical.shape == (1, 3, 0)


@pytest.mark.parametrize("parts", [("nothing",), ("test",), ()])
def test_parts_without_rows_are_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(DataError):
        BatchStream(_data(), parts=parts, batch_size=4, data_seeds=[0])


@pytest.mark.parametrize(("batch_size", "data_seeds"), [(0, [1]), (4, [])])
def test_streams_without_size_or_candidates_are_refused(batch_size: int, data_seeds: list[int]) -> None:
    with pytest.raises(TrainingError):
        _stream(data_seeds, batch_size=batch_size)
