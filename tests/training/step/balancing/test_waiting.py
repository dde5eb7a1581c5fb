"""Balancers of losses never wait for the device: tensors without values are enough for them to run."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from mtnas.training.step.balancing import make_balancer
from mtnas.training.step.balancing.balancer import GramBalancer, JacobianBalancer, LateLossBalancer, LossBalancer
from mtnas.training_options import BalancerSpec, GdodBalancer, GradNormBalancer
from tests.training.step.balancing import contract

FREE = [s for s in contract.EVERY if s.kind in ("equal", "static", "uncertainty", "dynamic_average", "random", "famo")]


@pytest.mark.parametrize("settings", [*FREE, GradNormBalancer(), GdodBalancer()], ids=lambda settings: settings.kind)
def test_a_step_needs_no_value_on_the_host(settings: BalancerSpec) -> None:
    with FakeTensorMode(allow_non_fake_inputs=True):
        shape = contract.shape_of(contract.course(K=2, T=3), seeds=(0, 1))
        balancer = make_balancer(settings, shape)
        losses, gram = torch.empty(2, 3, dtype=torch.float64), torch.empty(2, 3, 3, dtype=torch.float64)
        present = torch.empty(2, 3, dtype=torch.bool)
        for step in range(5):
            if isinstance(balancer, GramBalancer):
                balancer.weights(gram, losses, step, present)
            else:
                assert isinstance(balancer, LossBalancer)
                balancer.weights(losses, step, present)
            if isinstance(balancer, LateLossBalancer):
                balancer.after(losses, present)


def test_the_proof_can_fail() -> None:
    with FakeTensorMode(), pytest.raises(DataDependentOutputException):
        float(torch.empty(1).sum())


def test_every_loss_balancer_is_proved() -> None:
    kinds = set()
    for settings in contract.EVERY:
        balancer = make_balancer(settings, contract.shape_of(contract.course(K=1, T=2), seeds=(0,)))
        if isinstance(balancer, LossBalancer):
            assert not isinstance(balancer, GramBalancer | JacobianBalancer)
            kinds.add(settings.kind)
    assert kinds == {settings.kind for settings in FREE}
