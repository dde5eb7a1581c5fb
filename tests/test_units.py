"""Units: targets have mean 0 and deviation 1, and come back as the labels they were, however large those are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtnas.errors import TaskError
from mtnas.training.measuring.metrics import in_own_unit
from mtnas.units import OWN_UNIT, Transform, Unit


@given(
    mean=st.floats(-1e6, 1e6), scale=st.floats(1e-2, 1e6), seed=st.integers(0, 99), transform=st.sampled_from(Transform)
)
def test_targets_are_standard_and_come_back_as_the_labels(
    mean: float, scale: float, seed: int, transform: Transform
) -> None:
    labels = mean + scale * np.random.default_rng(seed).normal(size=50)
    labels = np.abs(labels) if transform is Transform.LOG1P else labels
    labels[::7] = np.nan
    unit = Unit.fitted(labels, transform)
    targets = unit.targets(labels)
    known = targets[~np.isnan(targets)]
    assert abs(known.mean()) < 1e-4  # log1p of numbers near 1e6 that differ by 1e-2 keeps 8 of 16 digits
    assert abs(known.std() - 1) < 1e-3
    tolerance = 1e-12 * np.nanmax(np.abs(labels))
    np.testing.assert_allclose(unit.labels(targets), labels, rtol=1e-9, atol=tolerance)
    np.testing.assert_allclose(in_own_unit(torch.tensor(targets), unit).numpy(), labels, rtol=1e-9, atol=tolerance)


def test_moments_a_minute_apart_differ_as_float32_targets() -> None:
    moments = 1.7e9 + 60.0 * np.arange(100)
    assert len(set(moments.astype(np.float32).tolist())) < 60
    targets = Unit.fitted(moments, Transform.NONE).targets(moments).astype(np.float32)
    assert len(set(targets.tolist())) == 100


def test_a_constant_label_has_scale_one_and_a_diverged_amount_is_finite() -> None:
    assert Unit.fitted(np.array([5.0, np.nan, 5.0]), Transform.NONE) == Unit(mean=5.0)
    amounts = Unit(transform=Transform.LOG1P)
    assert np.isfinite(amounts.labels(np.array([1e6]))).all()
    assert in_own_unit(torch.tensor([1e6]), amounts).isfinite().all()


def test_a_unit_without_a_scale_is_refused() -> None:
    assert OWN_UNIT.is_own
    for scale in (0.0, -1.0, float("nan")):
        with pytest.raises(TaskError, match="positive scale"):
            Unit(scale=scale)
