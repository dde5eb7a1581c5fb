"""Coins of which a bounded number comes up, against the list of all legal sets."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from mtnas.training.searches.bounded_coins import BoundedCoins
from tests.training.chi_square import p_value

Up = tuple[int, ...]
LIMITS = [(0, 5), (1, 5), (0, 1), (2, 3), (3, 3), (5, 5), (0, 0)]


def logits(K: int = 2, J: int = 3, N: int = 5, *, spread: float = 1.5, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(K, J, N, generator=generator, dtype=torch.float64)


def by_hand(logits_N: Tensor, least: int, most: int) -> dict[Up, float]:
    """The probability of every legal set: odds of its members, divided by the sum over all sets."""
    sets = [up for up in product((0, 1), repeat=len(logits_N)) if least <= sum(up) <= most]
    odds = [math.prod(math.exp(float(x)) for x, on in zip(logits_N, up, strict=True) if on) for up in sets]
    return {up: value / sum(odds) for up, value in zip(sets, odds, strict=True)}


@pytest.mark.parametrize(("least", "most"), LIMITS)
def test_probabilities_are_those_of_independent_coins_given_the_limits(least: int, most: int) -> None:
    values = logits()
    coins = BoundedCoins(values, least=least, most=most)
    for k, j in product(range(2), range(3)):
        for up, chance in by_hand(values[k, j], least, most).items():
            found = coins.log_prob(torch.tensor(up, dtype=torch.float64).expand(2, 1, 3, 5))[k, 0, j].exp()
            assert float(found) == pytest.approx(chance, rel=1e-9)


@pytest.mark.parametrize(("least", "most"), LIMITS)
def test_entropy_and_chances_are_sums_over_all_sets(least: int, most: int) -> None:
    values = logits(seed=1)
    coins = BoundedCoins(values, least=least, most=most)
    of_coin, of_number = coins.chances()
    for k, j in product(range(2), range(3)):
        table = by_hand(values[k, j], least, most)
        entropy = -sum(p * math.log(p) for p in table.values())
        assert float(coins.entropy()[k, j]) == pytest.approx(entropy, rel=1e-9, abs=1e-12)
        for n in range(5):
            assert float(of_coin[k, j, n]) == pytest.approx(sum(p for up, p in table.items() if up[n]), abs=1e-12)
        for number in range(most + 1):
            wanted = sum(p for up, p in table.items() if sum(up) == number)
            assert float(of_number[k, j, number]) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("least", "most"), LIMITS)
def test_draws_come_as_often_as_their_probabilities_say(least: int, most: int) -> None:
    values = logits(K=1, J=2, seed=2)
    u = torch.rand(1, 20_000, 2, 5, generator=torch.Generator().manual_seed(3))
    drawn = BoundedCoins(values, least=least, most=most).draw(u)
    for j in range(2):
        # Over all limits and junctions 14 tests with fixed draws: a wrong distribution gives values below 1e-10.
        expected = by_hand(values[0, j], least, most)
        assert p_value([tuple(up) for up in drawn[0, :, j].int().tolist()], expected) > 1e-3


@pytest.mark.parametrize("spread", [30.0, 300.0])
def test_extreme_logits_stay_within_the_limits_and_finite(spread: float) -> None:
    values = logits(K=1, J=4, N=9, spread=spread).float().requires_grad_()
    coins = BoundedCoins(values, least=2, most=4)
    up = coins.draw(torch.rand(1, 500, 4, 9, generator=torch.Generator().manual_seed(0)))
    assert bool(((up.sum(-1) >= 2) & (up.sum(-1) <= 4)).all())
    (coins.log_prob(up.float()).sum() + coins.entropy().sum()).backward()
    assert values.grad is not None
    assert bool(values.grad.isfinite().all())


def test_gradients_are_those_of_finite_differences() -> None:
    values = logits(J=2).requires_grad_()
    up = torch.tensor([[1.0, 0, 1, 0, 0], [0, 1, 1, 1, 0]], dtype=torch.float64).expand(2, 1, 2, 5)

    def measured(x: Tensor) -> tuple[Tensor, Tensor]:
        coins = BoundedCoins(x, least=1, most=3)
        return coins.log_prob(up), coins.entropy()

    assert torch.autograd.gradcheck(measured, (values,))


def test_no_coins_are_one_outcome() -> None:
    coins = BoundedCoins(torch.zeros(2, 3, 0), least=0, most=0)
    up = coins.draw(torch.rand(1, 4, 3, 0))
    assert up.shape == (2, 4, 3, 0)
    assert torch.equal(coins.log_prob(up), torch.zeros(2, 4, 3))
    assert torch.equal(coins.entropy(), torch.zeros(2, 3))
