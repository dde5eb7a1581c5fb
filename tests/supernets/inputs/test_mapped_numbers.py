"""Numbers as vectors: the piecewise-linear encoding and the waves by their definitions, for every candidate."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mtnas.routes import InputShape, NumberMaps
from mtnas.supernets import Initial
from mtnas.supernets.inputs.mapped_numbers import MappedNumbers
from tests.supernets.batches import random_features
from tests.supernets.weights import randomise

PIECEWISE = NumberMaps(columns=(2, 0, 1), width=4, segments=(3, 1, 5), places=(4, 5, 6))
PERIODIC = NumberMaps(columns=(2, 0), width=4, frequencies=5)
ALL = {
    "linear": NumberMaps(columns=(2, 0, 1), width=4),
    "piecewise": PIECEWISE,
    "periodic": PERIODIC,
    "one map of waves": replace(PERIODIC, shared=True),
}
SEEDS = [None, (0, 1, 2), (1, 0, 1)]


def module(maps: NumberMaps, *, seeds: tuple[int, ...] = (0, 1, 2)) -> MappedNumbers:
    return MappedNumbers("x", maps, Initial(seeds=seeds, dtype=torch.float64))


def batch(maps: NumberMaps, seed_of: tuple[int, ...] | None = None, rows: int = 7) -> Tensor:
    return random_features(InputShape(num_numeric=7, numbers=maps), rows=rows, seed=3, seed_of=seed_of).numeric


def by_definition(found: MappedNumbers, maps: NumberMaps, numeric_BX: Tensor, k: int) -> Tensor:
    """One candidate's vectors, component by component."""
    parts, first = [], 0
    for p, column in enumerate(maps.columns):
        x = numeric_BX[:, column].unsqueeze(1)
        vector = x * found.weight[k, p] + found.bias[k, p]
        if maps.segments:
            assert found.piecewise is not None
            for segment in range(maps.segments[p]):
                component = (numeric_BX[:, maps.places[p]] - segment).clamp(0, 1).unsqueeze(1)
                vector = vector + component * found.piecewise.slopes[k, first + segment]
            first += maps.segments[p]
        if maps.frequencies:
            assert found.periodic is not None
            angles = 2 * torch.pi * found.periodic.frequencies[k, p] * x + found.periodic.phases[k, p]
            vector = vector + angles.cos() @ found.periodic.weights[k, 0 if maps.shared else p]
        parts.append(vector)
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed_of", SEEDS)
def test_vectors_and_gradients_are_those_of_the_definition(name: str, seed_of: tuple[int, ...] | None) -> None:
    maps = ALL[name]
    found, numeric = module(maps), batch(maps, seed_of)
    randomise(found, seed=1)
    seeds = None if seed_of is None else torch.tensor(seed_of)
    vectors = found(numeric, seeds)
    expected = torch.stack(
        [by_definition(found, maps, numeric[0 if seed_of is None else seed_of[k]], k) for k in range(3)]
    )
    torch.testing.assert_close(vectors, expected, rtol=0, atol=1e-12)
    weights = torch.linspace(-1, 2, vectors.numel(), dtype=torch.float64).view_as(vectors)
    ours = torch.autograd.grad((vectors * weights).sum(), list(found.parameters()))
    theirs = torch.autograd.grad((expected * weights).sum(), list(found.parameters()))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_parameters_are_counted_in_closed_form(name: str) -> None:
    assert sum(parameter[0].numel() for parameter in module(ALL[name]).parameters()) == ALL[name].num_params


@pytest.mark.parametrize("name", ALL)
def test_a_candidate_starts_and_answers_as_it_does_alone(name: str) -> None:
    numeric = batch(ALL[name])
    together = module(ALL[name], seeds=(5, 9))(numeric, None)
    assert torch.equal(together[1:], module(ALL[name], seeds=(9,))(numeric, None))
    assert not torch.equal(together[0], together[1])


def test_curves_start_at_zero() -> None:
    with_curves, without = module(PIECEWISE), module(ALL["linear"])
    assert torch.equal(with_curves(batch(PIECEWISE), None), without(batch(PIECEWISE), None))


def test_a_curve_is_continuous_at_its_knots() -> None:
    found = module(PIECEWISE)
    randomise(found, seed=0)
    numeric = batch(PIECEWISE, rows=1).expand(1, 3, 7).clone()
    numeric[0, :, 4] = torch.tensor([2 - 1e-9, 2, 2 + 1e-9])
    below, at, above = found(numeric, None)[0]
    assert (below - at).abs().max() < 1e-7
    assert (above - at).abs().max() < 1e-7


@pytest.mark.parametrize(
    "change",
    [{"width": 3}, {"frequencies": 4}, {"deviation": 0.2}, {"shared": True}],
    ids=lambda change: next(iter(change)),
)
def test_every_setting_of_waves_changes_something(change: dict[str, float]) -> None:
    numeric = batch(PERIODIC)
    before, after = (module(maps)(numeric, None) for maps in (PERIODIC, replace(PERIODIC, **change)))  # type: ignore[arg-type]
    assert before.shape != after.shape or not torch.equal(before, after)
