"""Balancers of our own that stay on the device give what TorchJD gives."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor
from torchjd.aggregation import AlignedMTLWeighting, IMTLGWeighting
from torchjd.aggregation import GradDrop as LibraryGradDrop

from mtnas.training.step.balancing.closed_form import aligned, impartial
from mtnas.training.step.balancing.graddrop import one_sign

TASKS = 4


def grams() -> Tensor:
    """Full rank at two scales, and two of rank two, where gradients depend on each other; double ``[4, T, T]``."""
    generator = torch.Generator().manual_seed(3)
    jacobians = torch.randn(4, TASKS, 9, dtype=torch.float64, generator=generator)
    jacobians[1] *= 1e-3
    jacobians[2, 2:] = jacobians[2, :2] * torch.tensor([[2.0], [-0.5]])
    jacobians[3, 2:] = jacobians[3, :2].flip(0)
    return jacobians @ jacobians.transpose(1, 2)


def test_impartial_weights_are_the_librarys() -> None:
    wanted = torch.stack([IMTLGWeighting()(gram) for gram in grams()])
    torch.testing.assert_close(impartial(grams()), wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
def test_aligned_weights_are_the_librarys(scale: Literal["min", "median", "rmse"]) -> None:
    present = torch.ones(len(grams()), TASKS, dtype=torch.bool)
    wanted = torch.stack([AlignedMTLWeighting(scale_mode=scale)(gram) for gram in grams()])
    torch.testing.assert_close(aligned(grams(), present, scale=scale), wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("leak", [0.0, 0.3])
def test_signs_are_dropped_as_the_library_drops_them(leak: float) -> None:
    gradients = torch.randn(TASKS, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    gradients[:, 0] = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        wanted = LibraryGradDrop(leak=torch.full((TASKS,), leak, dtype=torch.float64))(gradients).nan_to_num(0.0)
        torch.manual_seed(7)
        draws = torch.rand(50, dtype=torch.float64)
    torch.testing.assert_close(one_sign(gradients, draws, leak=leak), wanted)
