"""Searched settings stay inside their parts, and everything else stays as it was fixed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mtnas.errors import SpecError
from mtnas.search import Choice, LogUniform, SettingsSpace
from mtnas.trials import Settings
from tests.search.planted import GRID

RANGES = SettingsSpace(
    fixed=Settings(gate={"temperature": 0.9, "k": 2.0}),
    parts=(
        LogUniform(name="lr", low=1e-4, high=1e-2),
        Choice(name="gate.temperature", values=(0.5, 1.0)),
        Choice(name="task_weights.click", values=(0.5, 1.0, 2.0)),
    ),
)


def test_samples_mutations_and_crossings_stay_inside() -> None:
    rng = np.random.default_rng(0)
    for space in (GRID, RANGES, SettingsSpace()):
        for _ in range(200):
            first, second = space.sample(rng), space.sample(rng)
            for settings in (first, space.mutate(first, rng), space.cross(first, second, rng)):
                assert space.contains(settings)


def test_a_mutation_changes_exactly_one_searched_value() -> None:
    rng = np.random.default_rng(1)
    for space in (GRID, RANGES):
        for _ in range(100):
            before = space.sample(rng)
            after = space.mutate(before, rng)
            assert sum(a != b for a, b in zip(space.values(before), space.values(after), strict=True)) == 1


def test_what_is_not_searched_stays() -> None:
    settings = RANGES.sample(np.random.default_rng(2))
    assert settings.gate["k"] == 2.0
    assert settings.gate["temperature"] in (0.5, 1.0)
    assert set(settings.task_weights) == {"click"}
    assert (settings.weight_decay, settings.seed) == (Settings().weight_decay, 0)
    assert SettingsSpace(fixed=settings).sample(np.random.default_rng(0)) == settings


def test_a_log_uniform_value_is_as_often_below_as_above_the_geometric_mean() -> None:
    rng = np.random.default_rng(3)
    part = LogUniform(name="lr", low=1e-4, high=1e-2)
    below = np.mean([part.sample(rng) < 1e-3 for _ in range(2000)])
    assert abs(below - 0.5) < 0.05


def test_a_log_uniform_value_moves_a_little() -> None:
    rng = np.random.default_rng(4)
    part = LogUniform(name="lr", low=1e-4, high=1e-2)
    steps = [abs(math.log(part.move(1e-3, rng) / 1e-3)) for _ in range(500)]
    assert 0.2 < float(np.mean(steps)) < 0.6  # a tenth of log(100), times sqrt(2 / pi)
    assert all(part.contains(part.move(1e-4, rng)) for _ in range(500))


def test_a_grid_is_listed_whole_and_a_range_is_not() -> None:
    listed = list(GRID.enumerate())
    assert len(listed) == GRID.size == 6
    assert len({GRID.values(settings) for settings in listed}) == 6
    assert list(SettingsSpace().enumerate()) == [Settings()]
    assert math.isinf(RANGES.size)
    with pytest.raises(SpecError, match="choices"):
        RANGES.enumerate()


def test_settings_outside_the_parts_are_noticed() -> None:
    assert not GRID.contains(Settings(lr=5.0))
    assert not SettingsSpace(parts=(Choice(name="gate.k", values=(1.0, 2.0)),)).contains(Settings(gate={"k": 3.0}))
    assert SettingsSpace().contains(Settings(lr=5.0))


def test_a_gate_or_task_without_a_setting_has_its_default() -> None:
    space = SettingsSpace(
        parts=(Choice(name="gate.k", values=(0.0, 2.0)), Choice(name="task_weights.a", values=(1.0,)))
    )
    assert space.contains(Settings())
    assert space.values(Settings()) == (0.0, 1.0)


def test_a_gamma_left_to_the_job_is_none_of_the_searched_ones() -> None:
    space = SettingsSpace(parts=(Choice(name="gamma", values=(0.0, 0.1)),))
    assert not space.contains(Settings())
    assert space.sample(np.random.default_rng(0)).gamma in (0.0, 0.1)


def test_features_tell_settings_apart_and_have_the_announced_length() -> None:
    rng = np.random.default_rng(5)
    for space in (GRID, RANGES, SettingsSpace()):
        first, second = space.sample(rng), space.sample(rng)
        assert len(space.features(first)) == space.num_features
        assert (space.features(first) == space.features(second)) == (space.values(first) == space.values(second))


def test_a_balancer_is_a_number_of_the_list() -> None:
    balancers = ({"kind": "equal"}, {"kind": "famo", "lr": 0.1})
    space = SettingsSpace(parts=(Choice(name="balancer", values=(0.0, 1.0)),), balancers=balancers)
    drawn = [space.sample(np.random.default_rng(seed)) for seed in range(8)]
    assert all(settings.balancer in balancers for settings in drawn)
    assert {space.values(settings) for settings in drawn} == {(0.0,), (1.0,)}
    assert space.values(Settings(balancer={"kind": "famo", "lr": 0.1})) == (1.0,)
    assert not space.contains(Settings())
    assert not space.contains(Settings(balancer={"kind": "famo", "lr": 0.2}))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Choice(name="batch_size", values=(1.0,)),
        lambda: Choice(name="gate.", values=(1.0,)),
        lambda: Choice(name="gate.colour", values=(1.0,)),
        lambda: Choice(name="gate.temperature", values=(-1.0,)),
        lambda: Choice(name="task_weights.", values=(1.0,)),
        lambda: Choice(name="task_weights.a", values=(0.0,)),
        lambda: Choice(name="lr", values=(0.0,)),
        lambda: Choice(name="weight_decay", values=(-1e-5,)),
        lambda: Choice(name="seed", values=(1.0,)),
        lambda: Choice(name="lr", values=()),
        lambda: Choice(name="lr", values=(1e-3, 1e-3)),
        lambda: Choice(name="lr", values=(float("nan"),)),
        lambda: Choice(name="dropout", values=(0.1, 1.0)),
        lambda: LogUniform(name="lr", low=0.0, high=1.0),
        lambda: SettingsSpace(parts=(Choice(name="balancer", values=(0.0,)),)),
        lambda: SettingsSpace(parts=(LogUniform(name="balancer", low=0.5, high=1.0),), balancers=({"kind": "equal"},)),
        lambda: SettingsSpace(balancers=({"kind": "equal"}, {"kind": "equal"})),
        lambda: LogUniform(name="lr", low=2e-3, high=1e-3),
        lambda: LogUniform(name="dropout", low=0.1, high=2.0),
        lambda: SettingsSpace(parts=(Choice(name="lr", values=(1.0,)), LogUniform(name="lr", low=1e-3, high=1e-2))),
    ],
)
def test_impossible_settings_are_refused(make: object) -> None:
    with pytest.raises(SpecError):
        make()  # type: ignore[operator]
