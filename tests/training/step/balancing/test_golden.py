"""Values worked out by hand, or the long way, from the papers' definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.training.step.balancing import make_balancer
from mtnas.training.step.balancing.gdod import gdod_weights
from mtnas.training_options import (
    BalancerSpec,
    DynamicAverageBalancer,
    FamoBalancer,
    GradNormBalancer,
    RandomBalancer,
    UncertaintyBalancer,
)
from tests.training.step.balancing import contract


def losses(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def made(settings: BalancerSpec, T: int = 2):  # type: ignore[no-untyped-def]
    return make_balancer(settings, contract.shape_of(contract.course(K=1, T=T), seeds=(0,)))


def long_way(gradients_PT: np.ndarray) -> np.ndarray:
    """GDOD by the singular value decomposition of the gradients, task by task, direction by direction."""
    left, values, right = np.linalg.svd(gradients_PT, full_matrices=False)
    direction, found = np.zeros(len(gradients_PT)), False
    for u, value, v in zip(left.T, values, right, strict=True):
        components = value * v  # of every task's gradient along u
        if (components > 0).all() or (components < 0).all():
            found = True
            direction += sum(component * u for component in components)
    return direction if found else gradients_PT.mean(axis=1)


@pytest.mark.parametrize("T", [2, 3, 5])
def test_gdod_is_the_decomposition_of_the_gradients(T: int) -> None:
    empty = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        gradients = rng.standard_normal((11, T)) + 0.4 * rng.standard_normal((11, 1))
        gram = torch.from_numpy(gradients.T @ gradients)[None]
        weights, share = gdod_weights(gram)
        expected = long_way(gradients)
        np.testing.assert_allclose(gradients @ weights[0].numpy(), expected, rtol=1e-8, atol=1e-10)
        assert 0 <= float(share) <= 1 + 1e-12
        empty += float(share) == 0
    assert T == 2 or empty, "no case in which every direction is opposed"


def test_gdod_follows_the_sum_of_gradients_that_agree() -> None:
    gram = torch.tensor([[[2.0, 1.0], [1.0, 2.0]]], dtype=torch.float64)
    weights, share = gdod_weights(gram)  # (1, 1)/sqrt(2) with l = 3 is kept, (1, -1)/sqrt(2) with l = 1 is not
    torch.testing.assert_close(weights, losses(1.0, 1.0))
    assert float(share) == pytest.approx(3 / 4)


def test_uncertainty_weights_follow_the_optimal_variances() -> None:
    balancer = made(UncertaintyBalancer(lr=0.05))  # task a is binary, task b a regression
    for step in range(3000):
        weights = balancer.weights(losses(0.25, 4.0), step)
    # d/ds [c exp(-s) L + s/2] = 0 at exp(-s) = 1 / (2 c L): weights c exp(-s) = 1 / (2 L)
    torch.testing.assert_close(weights, losses(2.0, 0.125), rtol=1e-3, atol=0)


def test_dynamic_average_is_the_softmax_of_the_last_two_windows() -> None:
    balancer = made(DynamicAverageBalancer(window=2, temperature=2.0))
    course = [(4.0, 1.0), (2.0, 1.0), (2.0, 0.5), (1.0, 1.0), (9.0, 9.0)]
    found = [balancer.weights(losses(*values), step) for step, values in enumerate(course)]
    for early in found[:4]:
        torch.testing.assert_close(early, losses(1.0, 1.0))
    a, b = math.exp((1.5 / 3.0) / 2), math.exp((0.75 / 1.0) / 2)
    torch.testing.assert_close(found[4], losses(2 * a / (a + b), 2 * b / (a + b)))


def test_famo_weighs_by_inverse_losses_and_then_for_the_slower_task() -> None:
    balancer = made(FamoBalancer(lr=0.025, decay=0.0))
    first = balancer.weights(losses(1.0, 3.0), 0)
    torch.testing.assert_close(first, losses(2 * 0.75, 2 * 0.25), rtol=1e-6, atol=0)
    balancer.after(losses(0.5, 2.9))  # the first task fell faster: its logit falls, the other's rises, by lr each
    torch.testing.assert_close(balancer.logits_KT, losses(-0.025, 0.025), rtol=1e-4, atol=0)


def test_grad_norm_raises_the_weight_of_the_task_with_the_smaller_gradient() -> None:
    balancer = made(GradNormBalancer(alpha=0.0, lr=0.1))
    gram = torch.tensor([[[9.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
    torch.testing.assert_close(balancer.weights(gram, losses(1.0, 1.0), 0), losses(1.0, 1.0))
    # the target is (3 + 1) / 2 = 2 for both; Adam's first step is lr against the sign of (3 - 2) 3 and (1 - 2) 1
    torch.testing.assert_close(balancer.weights(gram, losses(1.0, 1.0), 1), losses(0.9, 1.1), rtol=1e-6, atol=0)
    for step in range(2, 400):
        weights = balancer.weights(gram, losses(1.0, 1.0), step)
    torch.testing.assert_close(weights, losses(0.5, 1.5), rtol=0.1, atol=0)


def test_grad_norm_gives_more_to_the_task_that_lags() -> None:
    lagging, plain = made(GradNormBalancer(alpha=1.5)), made(GradNormBalancer(alpha=0.0))
    gram = torch.eye(2, dtype=torch.float64)[None]
    for step, first in enumerate((1.0, 0.9, 0.8, 0.7)):
        weights = lagging.weights(gram, losses(1.0, first), step)
        even = plain.weights(gram, losses(1.0, first), step)
    assert weights[0, 0] > weights[0, 1]
    torch.testing.assert_close(even, losses(1.0, 1.0))


def test_random_weights_sum_to_the_number_of_tasks_and_average_to_one() -> None:
    balancer = made(RandomBalancer(), T=3)
    found = torch.cat([balancer.weights(losses(1.0, 1.0, 1.0), step) for step in range(4000)])
    torch.testing.assert_close(found.sum(1), torch.full((4000,), 3.0, dtype=torch.float64))
    error = found.std(0) / math.sqrt(len(found))
    assert ((found.mean(0) - 1).abs() < 4 * error).all()
