"""Searchers see trials sorted, signed, and with failures as worst."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mtnas.search import RandomSearcher, SettingsSpace
from mtnas.search.history import History, worst_for_failed
from mtnas.trials import Settings, Trial, TrialState
from tests.search.planted import GAIN, GRID, SIZE, alike, finished


def history(trials: list[Trial]) -> History:
    return History.of(trials, space=alike(), settings=GRID, objectives=(GAIN, SIZE))


def trials_of(values: list[dict[str, float]]) -> list[Trial]:
    candidates = RandomSearcher(space=alike(), objectives=(GAIN,), settings=GRID).ask([], len(values))
    return finished(candidates, values)


def test_values_are_signed_so_that_larger_is_better() -> None:
    found = history(trials_of([{"mean_gain": 0.1, "num_params": 30.0}]))
    assert found.values.tolist() == [[0.1, -30.0]]


def test_whatever_is_not_a_finite_outcome_is_worst_on_every_objective() -> None:
    good = {"mean_gain": 0.1, "num_params": 30.0}
    trials = trials_of([good, good | {"mean_gain": float("nan")}, {"num_params": 30.0}, good, good])
    trials[3] = replace(trials[3], state=TrialState.FAILED)
    trials[4] = replace(trials[4], state=TrialState.RUNNING)
    found = history(trials)
    assert found.values.tolist() == [[0.1, -30.0], *[[-np.inf, -np.inf]] * 3]
    assert len(found.running) == 1
    assert len(found.seen) == 5
    assert found.best_first()[0] == 0


def test_a_trial_beyond_a_limit_that_was_measured_is_worst() -> None:
    trials = trials_of([{"mean_gain": gain, "num_params": 30.0} for gain in (0.1, 0.2)])
    trials[1] = replace(trials[1], notes={"infeasible": "constraints.max_latency_us: too slow"})
    found = history(trials)
    assert found.values.tolist() == [[0.1, -30.0], [-np.inf, -np.inf]]
    assert found.best_first() == [0, 1]
    assert len(found.seen) == 2


def test_a_pruned_trial_stands_beside_complete_ones_with_what_it_had_reached() -> None:
    trials = trials_of([{"mean_gain": gain, "num_params": 30.0} for gain in (0.1, 0.2, 0.3)])
    trials[1] = replace(trials[1], state=TrialState.PRUNED)
    found = history(trials)
    assert found.values[:, 0].tolist() == [0.1, 0.2, 0.3]
    assert found.best_first() == [2, 1, 0]
    assert len(found.running) == 0


def test_trials_come_by_number() -> None:
    trials = trials_of([{"mean_gain": float(n), "num_params": 1.0} for n in range(5)])
    assert history(trials[::-1]).values[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_trials_with_settings_that_are_not_searched_are_passed_over() -> None:
    (trial,) = trials_of([{"mean_gain": 0.0, "num_params": 1.0}])
    odd = replace(trial, candidate=replace(trial.candidate, settings=Settings(lr=0.7)))
    assert history([odd]).finished == ()
    fixed = History.of([odd], space=alike(), settings=SettingsSpace(), objectives=(GAIN,))
    assert len(fixed.finished) == 1


def test_failed_trials_get_the_worst_value_that_was_found() -> None:
    values = np.array([[1.0, -5.0], [-np.inf, -np.inf], [3.0, -9.0]])
    assert worst_for_failed(values).tolist() == [[1.0, -5.0], [1.0, -9.0], [3.0, -9.0]]
