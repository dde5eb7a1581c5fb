"""Every balancer keeps the contract, and every one of its settings changes something."""

from __future__ import annotations

import pytest
import torch

from mtnas.errors import TrainingError
from mtnas.training.step.balancing import make_balancer
from mtnas.training_options import (
    AlignedMtlBalancer,
    BalancerSpec,
    CaGradBalancer,
    DualProjBalancer,
    DynamicAverageBalancer,
    FairGradBalancer,
    FamoBalancer,
    GdodBalancer,
    GradDropBalancer,
    GradNormBalancer,
    GradVacBalancer,
    MgdaBalancer,
    NashBalancer,
    RandomBalancer,
    StaticBalancer,
    UncertaintyBalancer,
    UpGradBalancer,
)
from tests.training.step.balancing import contract

KINDS = [settings.kind for settings in contract.EVERY]
PAIRS: list[tuple[BalancerSpec, BalancerSpec]] = [
    (StaticBalancer(weights={"a": 1.0}), StaticBalancer(weights={"a": 3.0})),
    (UncertaintyBalancer(lr=0.1), UncertaintyBalancer(lr=0.01)),
    (DynamicAverageBalancer(window=2), DynamicAverageBalancer(window=1)),
    (DynamicAverageBalancer(window=2), DynamicAverageBalancer(window=2, temperature=1.0)),
    (GradNormBalancer(), GradNormBalancer(alpha=0.1)),
    (GradNormBalancer(), GradNormBalancer(lr=0.1)),
    (RandomBalancer(), RandomBalancer(deviation=0.5)),
    (FamoBalancer(), FamoBalancer(lr=0.1)),
    (FamoBalancer(), FamoBalancer(decay=0.5)),
    (GdodBalancer(), GdodBalancer(tolerance=0.5)),
    (UpGradBalancer(), UpGradBalancer(regularisation=0.1)),
    (DualProjBalancer(), DualProjBalancer(regularisation=0.1)),
    (MgdaBalancer(), MgdaBalancer(epsilon=0.3)),
    (MgdaBalancer(), MgdaBalancer(max_iterations=1)),
    (CaGradBalancer(), CaGradBalancer(c=0.1)),
    (NashBalancer(), NashBalancer(max_norm=0.1)),
    (NashBalancer(), NashBalancer(update_every=3)),
    (NashBalancer(), NashBalancer(iterations=1)),
    (AlignedMtlBalancer(), AlignedMtlBalancer(scale="rmse")),
    (AlignedMtlBalancer(), AlignedMtlBalancer(scale="median")),
    (GradVacBalancer(), GradVacBalancer(beta=0.1)),
    (FairGradBalancer(), FairGradBalancer(alpha=3.0)),
    (GradDropBalancer(), GradDropBalancer(leak=0.5)),
]


@pytest.mark.parametrize("settings", contract.EVERY, ids=KINDS)
def test_one_task_gives_the_plain_direction(settings: BalancerSpec) -> None:
    contract.one_task_gives_the_plain_direction(settings)


@pytest.mark.parametrize("settings", contract.EVERY, ids=KINDS)
def test_permuting_the_tasks_permutes_the_weights(settings: BalancerSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    contract.permuting_the_tasks_changes_nothing(settings, monkeypatch)


@pytest.mark.parametrize("settings", contract.EVERY, ids=KINDS)
def test_a_candidate_in_a_pack_is_the_candidate_alone(settings: BalancerSpec) -> None:
    contract.a_candidate_in_a_pack_is_the_candidate_alone(settings)


@pytest.mark.parametrize("settings", contract.EVERY, ids=KINDS)
def test_a_resumed_run_goes_on_exactly(settings: BalancerSpec) -> None:
    contract.a_resumed_run_goes_on_exactly(settings)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_every_setting_changes_the_direction(one: BalancerSpec, other: BalancerSpec) -> None:
    courses = [contract.course(K=1, T=4, seed=seed, spread=10.0**seed) for seed in range(2)]
    for found in courses:
        first, second = (torch.stack(contract.directions(s, found, seeds=(0,))) for s in (one, other))
        if not torch.allclose(first, second, rtol=1e-6):
            return
    raise AssertionError("the same directions on every course")


def test_pairs_cover_every_setting() -> None:
    changed = {(type(one), name) for one, two in PAIRS for name in differing(one, two)}
    expected = {
        (type(settings), name) for settings in contract.EVERY for name in type(settings).model_fields if name != "kind"
    }
    assert changed == expected


def differing(one: BalancerSpec, two: BalancerSpec) -> list[str]:
    return [name for name in type(one).model_fields if getattr(one, name) != getattr(two, name)]


def test_full_jacobians_are_refused_for_several_candidates() -> None:
    shape = contract.shape_of(contract.course(K=2, T=2), seeds=(0, 1))
    with pytest.raises(TrainingError, match="one candidate"):
        make_balancer(GradDropBalancer(), shape)


def test_the_librarys_draws_leave_the_global_generator_alone() -> None:
    found = contract.course(K=1, T=3)
    for settings in contract.EVERY:
        before = torch.get_rng_state()
        contract.directions(settings, found, seeds=(0,))
        assert torch.equal(before, torch.get_rng_state()), settings.kind


@pytest.mark.parametrize("settings", contract.EVERY, ids=KINDS)
def test_labels_of_every_task_change_nothing(settings: BalancerSpec) -> None:
    contract.labels_of_every_task_change_nothing(settings)


@pytest.mark.parametrize("settings", contract.EVERY, ids=KINDS)
def test_a_task_that_never_has_a_label_is_as_good_as_none(settings: BalancerSpec) -> None:
    contract.a_task_that_never_has_a_label_is_as_good_as_none(settings)


@pytest.mark.parametrize("settings", contract.EVERY, ids=KINDS)
def test_an_absent_task_is_neither_weighed_nor_learnt_of(settings: BalancerSpec) -> None:
    contract.an_absent_task_is_neither_weighed_nor_learnt_of(settings)


@pytest.mark.parametrize("settings", contract.EVERY, ids=KINDS)
def test_masks_may_differ_between_candidates(settings: BalancerSpec) -> None:
    contract.masks_may_differ_between_candidates(settings)


@pytest.mark.parametrize("settings", contract.EVERY, ids=KINDS)
def test_a_masked_run_is_resumed_exactly(settings: BalancerSpec) -> None:
    contract.a_masked_run_is_resumed_exactly(settings)
