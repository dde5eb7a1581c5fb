"""Common random numbers: what a candidate draws depends on its seed, the step and the site, on nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from mtnas.errors import TrainingError
from mtnas.training.step.noise import Noise

CPU = torch.device("cpu")
SITES = [(7, 5), (3,), (4, 2, 3)]
SEEDS = [11, 4, 11, 9, 4]
RATES = [0.0, 0.3, 0.5, 0.3, 0.3]


def _run(seeds: Sequence[int], rates: Sequence[float], *, step: int = 3) -> list[Tensor]:
    """Dropout (of ones) and uniform draws of every site in turn, each expanded to ``[K, *site]``."""
    noise = Noise(seeds=seeds, dropout=rates, device=CPU)
    noise.at_step(step)
    drawn = []
    for shape in SITES:
        drawn.append(noise.dropout(torch.ones(len(seeds), *shape, dtype=torch.float64)))
        drawn.append(noise.uniform(shape).expand(len(seeds), *shape))
    return drawn


@pytest.mark.parametrize("position", range(len(SEEDS)))
def test_a_candidate_draws_in_a_pack_what_it_draws_alone(position: int) -> None:
    pack = _run(SEEDS, RATES)
    alone = _run([SEEDS[position]], [RATES[position]])
    for together, single in zip(pack, alone, strict=True):
        assert torch.equal(together[position], single[0])


def test_a_resumed_step_draws_what_the_undisturbed_run_drew() -> None:
    noise = Noise(seeds=SEEDS, dropout=RATES, device=CPU)
    draws = []
    for step in range(4):
        noise.at_step(step)
        draws.append(noise.uniform((6,)))
    resumed = Noise(seeds=SEEDS, dropout=RATES, device=CPU)
    resumed.at_step(3)
    assert torch.equal(resumed.uniform((6,)), draws[3])
    assert not torch.equal(draws[2], draws[3])


def test_candidates_of_one_seed_share_one_draw_without_copies() -> None:
    noise = Noise(seeds=[2, 2, 2], dropout=[0.5] * 3, device=CPU)
    noise.at_step(0)
    assert noise.uniform((4, 5)).shape == (1, 4, 5)
    dropped = noise.dropout(torch.ones(3, 50))
    assert torch.equal(dropped[0], dropped[1])
    assert torch.equal(dropped[0], dropped[2])


def test_other_seeds_sites_and_steps_draw_other_numbers() -> None:
    noise = Noise(seeds=[1, 2], dropout=[0.0, 0.0], device=CPU)
    noise.at_step(0)
    first, second = noise.uniform((9,)), noise.uniform((9,))
    noise.at_step(1)
    third = noise.uniform((9,))
    rows = torch.cat([first, second, third])
    assert len({tuple(row.tolist()) for row in rows}) == 6


def test_steps_and_sites_drop_other_units() -> None:
    noise = Noise(seeds=[1], dropout=[0.5], device=CPU)
    patterns = []
    for step in (0, 1):
        noise.at_step(step)
        patterns += [tuple(noise.dropout(torch.ones(1, 99))[0].tolist()) for _ in range(2)]
    assert len(set(patterns)) == 4


def test_dropping_and_not_dropping_leave_the_other_draws_alone() -> None:
    with_dropout, without = _run([5], [0.4]), _run([5], [0.0])
    for left, right in zip(with_dropout[1::2], without[1::2], strict=True):
        assert torch.equal(left, right)


def test_a_larger_probability_drops_a_superset() -> None:
    noise = Noise(seeds=[3] * 4, dropout=[0.0, 0.1, 0.4, 0.9], device=CPU)
    noise.at_step(0)
    kept = noise.dropout(torch.ones(4, 1000)) != 0
    assert kept[0].all()
    for fewer, more in zip(kept[1:], kept[:-1], strict=True):
        assert (more | ~fewer).all()
        assert (more & ~fewer).any()


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.75])
def test_dropout_drops_its_share_and_keeps_the_mean(rate: float) -> None:
    """Five standard deviations of 200,000 draws; neighbours in a 64-bit word are independent too."""
    count = 200_000
    noise = Noise(seeds=[8], dropout=[rate], device=CPU)
    noise.at_step(0)
    dropped = noise.dropout(torch.ones(1, count, dtype=torch.float64))[0]
    spread = 5 * (rate * (1 - rate) / count) ** 0.5
    gone = (dropped == 0).double()
    assert gone.mean().item() == pytest.approx(rate, abs=spread)
    assert dropped.mean().item() == pytest.approx(1.0, abs=spread / (1 - rate))
    both = (gone[1:] * gone[:-1]).mean().item()
    assert both == pytest.approx(rate**2, abs=2 * spread)


def test_uniform_draws_are_uniform_and_have_finite_logarithms() -> None:
    noise = Noise(seeds=[8], dropout=[0.0], device=CPU)
    noise.at_step(0)
    draws = noise.uniform((100_000,))
    assert draws.log().isfinite().all()
    assert torch.log1p(-draws).isfinite().all()
    assert draws.mean().item() == pytest.approx(0.5, abs=5 * (1 / 12 / 100_000) ** 0.5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rates", [[0.25, 0.25], [0.25, 0.5]])
def test_dropout_keeps_the_type_and_passes_gradients_to_kept_units(dtype: torch.dtype, rates: list[float]) -> None:
    noise = Noise(seeds=[0, 0], dropout=rates, device=CPU)
    noise.at_step(0)
    x = torch.full((2, 40), 2.0, dtype=dtype, requires_grad=True)
    dropped = noise.dropout(x)
    (gradient,) = torch.autograd.grad(dropped.sum(), x)
    assert dropped.dtype == dtype
    assert torch.equal(gradient * 2, dropped)
    scales = torch.tensor([1 / (1 - rate) for rate in rates], dtype=dtype)[:, None]
    assert ((gradient == 0) | ((gradient - scales).abs() < 1e-2)).all()


def test_the_kept_pattern_is_the_same_in_every_precision() -> None:
    patterns = []
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        noise = Noise(seeds=[0], dropout=[0.3], device=CPU)
        noise.at_step(5)
        patterns.append(noise.dropout(torch.ones(1, 500, dtype=dtype)) != 0)
    assert torch.equal(patterns[0], patterns[1])
    assert torch.equal(patterns[0], patterns[2])


def test_global_random_state_is_neither_read_nor_changed() -> None:
    state = torch.get_rng_state()
    first = _run(SEEDS, RATES)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    for left, right in zip(first, _run(SEEDS, RATES), strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize(
    ("seeds", "rates"), [([], []), ([1, 2], [0.1]), ([1], [1.0]), ([1], [-0.1]), ([1], [float("nan")])]
)
def test_contradicting_settings_are_refused(seeds: list[int], rates: list[float]) -> None:
    with pytest.raises(TrainingError):
        Noise(seeds=seeds, dropout=rates, device=CPU)


def test_a_foreign_pack_is_refused() -> None:
    with pytest.raises(TrainingError, match="leading axis of 2"):
        Noise(seeds=[1, 2], dropout=[0.0, 0.0], device=CPU).dropout(torch.ones(3, 4))
