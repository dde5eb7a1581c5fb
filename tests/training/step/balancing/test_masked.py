"""Two tasks, of which a batch has labels of one: what each balancer then says, where others broke."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtnas.training.step.balancing import make_balancer
from mtnas.training.step.balancing.balancer import GramBalancer, LateLossBalancer, LossBalancer
from mtnas.training_options import (
    BalancerSpec,
    CaGradBalancer,
    DynamicAverageBalancer,
    FairGradBalancer,
    FamoBalancer,
    GradNormBalancer,
    ImtlGBalancer,
    MgdaBalancer,
)
from tests.training.step.balancing import contract

FIRST_ALONE = torch.tensor([[True, False]])
GRAM = torch.tensor([[[2.0, 0.5], [0.5, 1.0]]], dtype=torch.float64)
LOSSES = torch.tensor([[0.7, 0.7]], dtype=torch.float64)


def weights(settings: BalancerSpec, masks: list[Tensor]) -> list[Tensor]:
    """The weights ``[T]`` of every step."""
    balancer, found = make_balancer(settings, contract.shape_of(contract.course(K=1, T=2), seeds=(0,))), []
    for step, present in enumerate(masks):
        losses, both = LOSSES * present, present.unsqueeze(2) & present.unsqueeze(1)
        if isinstance(balancer, GramBalancer):
            found.append(balancer.weights(GRAM * both, losses, step, present)[0])
        else:
            assert isinstance(balancer, LossBalancer)
            found.append(balancer.weights(losses, step, present)[0].clone())
        if isinstance(balancer, LateLossBalancer):
            balancer.after(losses * 0.9, present)
    return found


@pytest.mark.parametrize(
    "settings",
    [FamoBalancer(), MgdaBalancer(), CaGradBalancer(), FairGradBalancer(), ImtlGBalancer(), GradNormBalancer()],
    ids=lambda settings: settings.kind,
)
def test_the_task_that_is_there_weighs_as_if_alone(settings: BalancerSpec) -> None:
    # As they were: FAMO (3e-8, 2), MGDA (0, 2), CAGrad (0, 0), FairGrad (1.4, 1085), IMTL-G (2, 0).
    for found in weights(settings, [FIRST_ALONE] * 3):
        assert found[0].item() == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("settings", [FamoBalancer(lr=0.1), GradNormBalancer(lr=0.1)], ids=lambda s: s.kind)
def test_a_balance_does_not_drift_while_one_task_is_alone(settings: BalancerSpec) -> None:
    both = torch.ones_like(FIRST_ALONE)
    short = weights(settings, [both, both, both])
    long = weights(settings, [both, both, *[FIRST_ALONE] * 200, both])
    torch.testing.assert_close(long[-1], short[-1], rtol=1e-9, atol=0)
    assert not torch.allclose(short[-1], torch.ones_like(short[-1]), atol=1e-3) or settings.kind == "famo"


def test_a_window_without_a_label_says_nothing_of_a_losss_course() -> None:
    both = torch.ones_like(FIRST_ALONE)
    masks = [both, both, FIRST_ALONE, FIRST_ALONE, both, both, both]
    for found in weights(DynamicAverageBalancer(window=2), masks):
        torch.testing.assert_close(found, torch.ones_like(found))  # no loss has moved
