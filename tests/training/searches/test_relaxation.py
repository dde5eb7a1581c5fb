"""Relaxed choices: Gumbel noise wins as often as the odds say, straight-through is hard in value and soft in slope."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtnas.training.searches.relaxation import CERTAIN, Relaxation
from mtnas.training.step.noise import Noise

CPU = torch.device("cpu")
LOGITS = torch.tensor([[[0.5, -1.0, 0.0], [2.0, 0.0, -0.5]]])


def noise(seed: int = 0) -> Noise:
    made = Noise(seeds=[seed], dropout=[0.0], device=CPU)
    made.at_step(0)
    return made


def weights(*, temperature: float, noisy: bool, hard: bool, num_groups: int = 1, logits: Tensor = LOGITS) -> Tensor:
    relaxation = Relaxation(temperature=torch.tensor([temperature]), noisy=noisy, hard=hard)
    return relaxation.weights(logits, noise(), num_groups)


def test_choices_win_as_often_as_their_probability_says() -> None:
    num_draws = 20_000
    won = weights(temperature=0.7, noisy=True, hard=True, num_groups=num_draws)[0].mean(0)
    p = LOGITS[0].softmax(-1)
    deviation = (p * (1 - p) / num_draws).sqrt()
    assert ((won - p).abs() < 4.5 * deviation).all()


@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
def test_the_winner_does_not_depend_on_the_temperature(temperature: float) -> None:
    one = weights(temperature=1.0, noisy=True, hard=True, num_groups=50)
    assert torch.equal(one, weights(temperature=temperature, noisy=True, hard=True, num_groups=50))


def test_straight_through_has_the_value_of_one_choice_and_the_slope_of_the_mixture() -> None:
    grads = []
    for hard in (True, False):
        logits = LOGITS.clone().requires_grad_()
        found = weights(temperature=0.8, noisy=True, hard=hard, num_groups=4, logits=logits)
        if hard:
            assert set(found.unique().tolist()) == {0.0, 1.0}
            assert torch.equal(found.sum(-1), torch.ones(1, 4, 2))
        (found * torch.arange(24.0).view(1, 4, 2, 3)).sum().backward()
        grads.append(logits.grad)
    torch.testing.assert_close(*grads)


def test_soft_weights_sum_to_one_and_come_close_to_a_choice_when_cold() -> None:
    warm, cold = (weights(temperature=t, noisy=True, hard=False, num_groups=30) for t in (5.0, 0.01))
    torch.testing.assert_close(warm.sum(-1), torch.ones(1, 30, 2))
    assert cold.amax(-1).mean() > 0.99 > warm.amax(-1).mean()


def test_without_noise_there_is_one_group_and_nothing_random() -> None:
    found = weights(temperature=2.0, noisy=False, hard=False, num_groups=9)
    torch.testing.assert_close(found[:, 0], (LOGITS / 2).softmax(-1))
    assert found.shape[1] == 1


@pytest.mark.parametrize("temperature", [0.1, 50.0])
def test_a_certain_choice_is_exact_and_has_no_slope(temperature: float) -> None:
    logits = torch.tensor([[[0.0, CERTAIN, 0.0]]], requires_grad=True)
    found = weights(temperature=temperature, noisy=True, hard=False, num_groups=20, logits=logits)
    assert torch.equal(found, torch.tensor([0.0, 1.0, 0.0]).expand(1, 20, 1, 3))
    found[..., 0].sum().backward()
    assert not logits.grad.any()  # type: ignore[union-attr]
