"""Covariance similarity of tasks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtnas.diagnostics import covariance_similarity, input_similarity, representation_similarity
from mtnas.trials import Settings
from tests.training.recipes import float64
from tests.training.together import TASKS, pack


def drawn(seed: int, rows: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    scales = torch.randn(width, generator=generator, dtype=torch.float64).exp()
    return torch.randn(rows, width, generator=generator, dtype=torch.float64) * scales


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**20), rows=st.integers(1, 12), width=st.integers(1, 8))
def test_score_is_a_share_symmetric_and_blind_to_rotations(seed: int, rows: int, width: int) -> None:
    one, two = drawn(seed, rows, width), drawn(seed + 1, rows + 2, width)
    score = covariance_similarity(one, two)
    assert -1e-12 <= score <= 1 + 1e-12
    assert covariance_similarity(two, one) == pytest.approx(score, abs=1e-9)
    rotation = torch.linalg.qr(drawn(seed + 2, width, width)).Q
    assert covariance_similarity(one @ rotation, two @ rotation) == pytest.approx(score, abs=1e-6)
    assert covariance_similarity(3 * one, two) == pytest.approx(score, abs=1e-9)


def test_values_worked_out_by_hand() -> None:
    x, y = torch.eye(2, dtype=torch.float64)
    assert covariance_similarity(x[None], x[None]) == pytest.approx(1)
    assert covariance_similarity(x[None], y[None]) == pytest.approx(0)
    even = torch.eye(4, dtype=torch.float64)
    assert covariance_similarity(even, even) == pytest.approx(1 / 2)
    # (D1 = 4, 1; D2 = 1): |diag(2, 1)^T (1, 0)| = 2 over sqrt(5) * 1
    assert covariance_similarity(torch.diag(torch.tensor([2.0, 1.0])), x[None]) == pytest.approx(2 / 5**0.5)


def test_small_values_are_cut() -> None:
    one = torch.diag(torch.tensor([10.0, 0.1], dtype=torch.float64))
    assert covariance_similarity(one, one) == pytest.approx(1)
    assert covariance_similarity(one, one, kept=1.0) < 1


def test_matrices_hold_a_score_for_every_two_tasks() -> None:
    trainer = pack([Settings(seed=1)], float64())
    for matrix in (
        input_similarity(trainer.net, trainer.data, "valid"),
        representation_similarity(trainer.net, trainer.selection, trainer.data, "valid"),
    ):
        assert len(matrix) == len(TASKS)
        for i, row in enumerate(matrix):
            for j, score in enumerate(row):
                assert score is not None
                assert 0 <= score <= 1
                assert score == pytest.approx(matrix[j][i])
