"""The Gaussian process learns what is there to learn and knows where it has not been."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mtnas.search.gaussian.surrogate import NOISES, Array, Surrogates


def indicators(count: int, seed: int) -> Array:
    """Ten two-valued parameters, as pairs of indicators."""
    bits = np.random.default_rng(seed).integers(2, size=(count, 10)).astype(np.float64)
    return np.concatenate([bits, 1.0 - bits], axis=1) * math.sqrt(0.5)


def planted(points: Array) -> Array:
    """A weighted sum of the first ten indicators."""
    worth = np.random.default_rng(9).normal(size=10)
    return np.asarray(5.0 + math.sqrt(2.0) * points[:, :10] @ worth, dtype=np.float64)


def test_it_predicts_points_it_has_not_seen() -> None:
    known, fresh = indicators(150, 0), indicators(100, 1)
    process = Surrogates(known).fit(planted(known))
    assert np.corrcoef(process.predict(fresh), planted(fresh))[0, 1] > 0.95


def test_the_noise_is_told_from_the_signal() -> None:
    known = indicators(150, 0)
    noise = np.random.default_rng(2).normal(size=150)
    assert Surrogates(known).fit(planted(known)).noise == min(NOISES)
    assert Surrogates(known).fit(noise).noise == max(NOISES)


def test_the_deviation_falls_where_something_is_known_or_pending() -> None:
    known, fresh = indicators(30, 0), indicators(20, 1)
    process = Surrogates(known).fit(planted(known))
    nothing = np.zeros((0, 20))
    before = process.deviation(fresh, nothing)
    after = process.deviation(fresh, fresh[:1])
    assert process.deviation(known, nothing).max() < before.min()
    assert after[0] < 0.5 * before[0]
    assert (after <= before + 1e-9).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_the_scale_of_the_values_does_not_matter(scale: float) -> None:
    known, fresh = indicators(60, 0), indicators(20, 1)
    plain = Surrogates(known).fit(planted(known))
    scaled = Surrogates(known).fit(scale * planted(known) - 3.0)
    assert (scaled.scale, scaled.noise) == (plain.scale, plain.noise)
    np.testing.assert_allclose(scaled.predict(fresh), scale * plain.predict(fresh) - 3.0, rtol=1e-6, atol=1e-6 * scale)


def test_equal_values_are_predicted_everywhere() -> None:
    known, fresh = indicators(20, 0), indicators(5, 1)
    np.testing.assert_allclose(Surrogates(known).fit(np.full(20, 0.1)).predict(fresh), 0.1)
