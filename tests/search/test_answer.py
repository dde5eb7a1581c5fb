"""The answer of a search leaves out what failed and puts the best first."""

from __future__ import annotations

from dataclasses import replace

from mtnas.search import RandomSearcher, best_trial, front_trials, ranked
from mtnas.trials import Trial, TrialState
from tests.search.planted import GAIN, SIZE, alike, finished


def trials_of(*values: tuple[float, float]) -> list[Trial]:
    candidates = RandomSearcher(space=alike(), objectives=(GAIN,)).ask([], len(values))
    return finished(candidates, [{"mean_gain": gain, "num_params": size} for gain, size in values])


def test_one_objective_is_ranked_by_its_value() -> None:
    trials = trials_of((0.1, 1.0), (0.3, 1.0), (float("nan"), 1.0), (0.2, 1.0))
    assert [trial.number for trial in ranked(trials, (GAIN,))] == [1, 3, 0]
    assert [trial.number for trial in ranked(trials, (SIZE,))] == [0, 1, 2, 3]
    assert [trial.number for trial in front_trials(trials[::-1], (GAIN,))] == [1]
    best = best_trial(trials, (GAIN,))
    assert best is not None
    assert best.number == 1


def test_two_objectives_make_a_front_with_a_knee() -> None:
    trials = trials_of((0.0, 10.0), (0.9, 20.0), (1.0, 90.0), (0.5, 50.0))
    assert [trial.number for trial in front_trials(trials, (GAIN, SIZE))] == [0, 1, 2]
    best = best_trial(trials, (GAIN, SIZE))
    assert best is not None
    assert best.number == 1
    assert ranked(trials, (GAIN, SIZE))[-1].number == 3


def test_without_a_usable_trial_there_is_no_answer() -> None:
    failed = [replace(trial, state=TrialState.FAILED) for trial in trials_of((1.0, 1.0), (2.0, 2.0))]
    for trials in ([], failed):
        assert best_trial(trials, (GAIN, SIZE)) is None
        assert front_trials(trials, (GAIN,)) == ()
        assert ranked(trials, (GAIN,)) == ()
