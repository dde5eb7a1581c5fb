"""Coins without an upper limit are the bounded ones, in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtnas.training.searches.bounded_coins import BoundedCoins
from mtnas.training.searches.loose_coins import LooseCoins

LEAST = [0, 1]


def logits(K: int = 2, J: int = 3, N: int = 7, *, spread: float = 1.5) -> Tensor:
    return spread * torch.randn(K, J, N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def both(values: Tensor, least: int) -> tuple[LooseCoins, BoundedCoins]:
    return LooseCoins(values, least=least), BoundedCoins(values, least=least, most=values.shape[2])


@pytest.mark.parametrize("least", LEAST)
@pytest.mark.parametrize("num_coins", [1, 2, 7])
def test_they_are_the_bounded_ones(least: int, num_coins: int) -> None:
    loose, bounded = both(logits(N=num_coins), least)
    u = torch.rand(2, 500, 3, num_coins, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    up = loose.draw(u)
    assert torch.equal(up, bounded.draw(u))
    torch.testing.assert_close(loose.log_prob(up), bounded.log_prob(up), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(loose.entropy(), bounded.entropy(), rtol=1e-9, atol=1e-12)
    for one, two in zip(loose.chances(), bounded.chances(), strict=True):
        torch.testing.assert_close(one, two[..., : one.shape[-1]], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("least", LEAST)
def test_gradients_are_those_of_the_bounded_ones(least: int) -> None:
    values = logits().requires_grad_()
    up = torch.ones(2, 1, 3, 7, dtype=torch.float64)
    of_each = [
        torch.autograd.grad(coins.log_prob(up).sum() + coins.entropy().sum() + coins.chances()[1][..., 1].sum(), values)
        for coins in both(values, least)
    ]
    torch.testing.assert_close(*of_each, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shift", [-300.0, 0.0, 300.0])
def test_extreme_logits_leave_one_up_and_gradients_finite(shift: float) -> None:
    values = (logits(spread=30.0) + shift).float().requires_grad_()
    coins = LooseCoins(values, least=1)
    up = coins.draw(torch.rand(1, 500, 3, 7, generator=torch.Generator().manual_seed(0)))
    assert bool((up.sum(-1) >= 1).all())
    (coins.log_prob(up.float()).sum() + coins.entropy().sum()).backward()
    assert values.grad is not None
    assert bool(values.grad.isfinite().all())
