"""Counted draws: splitmix64 as published, one number per key and place, even."""

from __future__ import annotations

import torch

from mtnas.training.step.counted_draws import keys, uniform, words

CPU = torch.device("cpu")
# The first five outputs of the reference implementation for the seed 1234567.
PUBLISHED = (
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
)


def test_they_are_the_published_numbers() -> None:
    found = words(keys([1234567], CPU), torch.arange(5))
    assert [word % 2**64 for word in found.tolist()] == list(PUBLISHED)
    assert [words(keys([1234567], CPU), number).item() % 2**64 for number in range(5)] == list(PUBLISHED)


def test_the_largest_keys_and_numbers_are_in_range() -> None:
    found = uniform(keys([0, 2**63 - 1], CPU)[:, None], torch.tensor([0, 2**62]))
    assert ((found > 0) & (found < 1)).all()
    assert found.unique().numel() == 4


def test_they_are_uniform() -> None:
    found = uniform(keys(range(100), CPU)[:, None], torch.arange(1000)).flatten()
    counts = torch.histc(found.float(), bins=10, min=0, max=1)
    assert ((counts - 10_000).abs() < 500).all()  # five standard deviations of 95
