"""What every searcher must keep: subclass ``SearcherContract``, name the class, and pytest runs the suite."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from mtnas.errors import SpecError
from mtnas.routes import canonical_route
from mtnas.search import LogUniform, RandomSearcher, Searcher, SettingsSpace
from mtnas.search.searcher import SampledSearcher
from mtnas.spaces import SearchSpace
from mtnas.tasks import Direction, Objective
from mtnas.trials import Candidate, Settings, Trial, TrialState
from tests.search.planted import GAIN, GRID, SIZE, alike, clusters_score, finished, searched, tiny, values_of, varied

SHARED = {field.name for field in dataclasses.fields(SampledSearcher)}


def random_trials(space: SearchSpace, count: int = 40, settings: SettingsSpace = GRID) -> list[Trial]:
    """Finished trials of random candidates, so that a searcher has something to learn from."""
    searcher = RandomSearcher(space=space, objectives=(GAIN,), settings=settings, seed=11)
    candidates = searcher.ask([], count)
    return finished(candidates, [values_of(candidate, clusters_score(space)) for candidate in candidates])


def key(candidate: Candidate) -> tuple[object, ...]:
    """What makes two candidates the same for the searched settings of ``GRID``."""
    return candidate.route.text, candidate.settings.lr, candidate.settings.dropout


class SearcherContract:
    """The suite. ``kind`` is the searcher; ``quick`` makes its model start within 40 trials.

    Attributes:
        learns: whether the answer depends on the values of the trials.
        changes: for every hyper-parameter a value that must change the answer after 40 trials.
        refused: for hyper-parameters with a range, a value outside it.
    """

    kind: ClassVar[type[SampledSearcher]]
    quick: ClassVar[Mapping[str, Any]] = {}
    learns: ClassVar[bool] = True
    changes: ClassVar[Mapping[str, Any]] = {}
    refused: ClassVar[Mapping[str, Any]] = {}

    def searcher(
        self,
        space: SearchSpace,
        *,
        objectives: tuple[Objective, ...] = (GAIN,),
        settings: SettingsSpace = GRID,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> Searcher:
        chosen = {**self.quick, **(options or {})}
        return self.kind(space=space, objectives=objectives, settings=settings, seed=seed, **chosen)

    @pytest.mark.parametrize("objectives", [(GAIN,), (GAIN, SIZE)], ids=["one", "two"])
    def test_asking_twice_gives_the_same_answer(self, objectives: tuple[Objective, ...]) -> None:
        space = alike()
        trials = random_trials(space)
        searcher = self.searcher(space, objectives=objectives)
        first = searcher.ask(trials, 6)
        searcher.ask(trials[:20], 3)
        assert searcher.ask(trials, 6) == first
        assert self.searcher(space, objectives=objectives).ask(trials, 6) == first
        assert pickle.loads(pickle.dumps(searcher)).ask(trials, 6) == first

    def test_the_order_of_the_trials_does_not_matter(self) -> None:
        space = alike()
        trials = random_trials(space)
        shuffled = [trials[int(index)] for index in np.random.default_rng(0).permutation(len(trials))]
        assert self.searcher(space).ask(shuffled, 6) == self.searcher(space).ask(trials, 6)

    def test_the_seed_changes_the_answer(self) -> None:
        space = alike()
        trials = random_trials(space)
        for so_far in ([], trials):
            assert self.searcher(space, seed=1).ask(so_far, 6) != self.searcher(space, seed=2).ask(so_far, 6)

    def test_the_values_of_the_trials_change_the_answer(self) -> None:
        space = alike()
        trials = random_trials(space)
        worse = Objective(metric=GAIN.metric, direction=Direction.MIN)
        answers_differ = self.searcher(space).ask(trials, 6) != self.searcher(space, objectives=(worse,)).ask(trials, 6)
        assert answers_differ == self.learns

    @pytest.mark.parametrize("make", [alike, varied])
    def test_candidates_are_new_canonical_routes_of_the_space_with_settings_of_the_grid(self, make: Any) -> None:
        space = make()
        trials = random_trials(space)
        candidates = self.searcher(space, objectives=(GAIN, SIZE)).ask(trials, 12)
        assert len(candidates) == 12
        for candidate in candidates:
            assert space.check(candidate.route) is None
            assert candidate.route == canonical_route(space.graph, candidate.route)
            assert GRID.contains(candidate.settings)
            assert dataclasses.replace(candidate.settings, lr=1.0, dropout=0.0) == Settings(
                lr=1.0, weight_decay=1e-4, seed=3
            )
        known = {key(trial.candidate) for trial in trials}
        assert len({key(candidate) for candidate in candidates} - known) == 12

    def test_running_trials_are_not_proposed_again(self) -> None:
        space = tiny()
        trials = random_trials(space, 30)
        running = [dataclasses.replace(trial, state=TrialState.RUNNING, values={}) for trial in trials]
        candidates = self.searcher(space).ask([*trials[:20], *running[20:]], 10)
        assert candidates
        assert {key(candidate) for candidate in candidates}.isdisjoint(key(trial.candidate) for trial in trials)

    def test_a_route_told_in_another_spelling_is_not_proposed_again(self) -> None:
        space = tiny()
        everything = self.searcher(space, settings=SettingsSpace()).ask([], 1000)
        other = []
        for number, candidate in enumerate(everything):
            text = candidate.route.text.replace("l1.0", "?").replace("l1.1", "l1.0").replace("?", "l1.1")
            other.append(dataclasses.replace(_trial(candidate, number), candidate=_parsed(candidate, text)))
        assert self.searcher(space, settings=SettingsSpace()).ask(other, 4) == []

    @pytest.mark.parametrize("objectives", [(GAIN,), (GAIN, SIZE)], ids=["one", "two"])
    @pytest.mark.parametrize("share", [0.4, 1.0])
    def test_failed_trials_and_values_that_are_not_finite_do_no_harm(
        self, objectives: tuple[Objective, ...], share: float
    ) -> None:
        space = alike()
        trials = random_trials(space)
        bad: list[dict[str, float]] = [
            {"mean_gain": float("nan"), "num_params": 1.0},
            {"mean_gain": float("inf"), "num_params": 1.0},
            {"mean_gain": float("-inf"), "num_params": 1.0},
            {"num_params": 1.0},
            {},
        ]
        ends = int(len(trials) * share)
        odd = [dataclasses.replace(trial, values=bad[index % 5]) for index, trial in enumerate(trials[:ends])]
        failed = [dataclasses.replace(t, state=TrialState.FAILED, values={}, failure="diverged") for t in trials[:ends]]
        searcher = self.searcher(space, objectives=objectives)
        candidates = searcher.ask([*odd, *trials[ends:]], 6)
        assert len(candidates) == 6
        if "num_params" not in {objective.metric for objective in objectives}:
            assert searcher.ask([*failed, *trials[ends:]], 6) == candidates

    def test_equal_values_do_no_harm(self) -> None:
        space = alike()
        trials = [dataclasses.replace(t, values={"mean_gain": 0.5, "num_params": 7.0}) for t in random_trials(space)]
        assert len(self.searcher(space, objectives=(GAIN, SIZE)).ask(trials, 6)) == 6

    def test_a_failed_trial_counts_as_worst(self) -> None:
        space = alike()
        trials = random_trials(space)
        worst = min(trial.values["mean_gain"] for trial in trials)
        last = trials[-1]
        failed = dataclasses.replace(last, state=TrialState.FAILED, values={})
        poor = dataclasses.replace(last, values={"mean_gain": worst - 1e-9})
        searcher = self.searcher(space)
        assert searcher.ask([*trials[:-1], failed], 1) == searcher.ask([*trials[:-1], poor], 1)

    def test_a_finite_space_is_asked_out_and_then_nothing_is_left(self) -> None:
        space = tiny()
        trials = searched(self.searcher(space), clusters_score(space), trials=10_000, generation=16)
        routes = {route.text for route in space.enumerate()}
        assert len(trials) == len({key(trial.candidate) for trial in trials}) == len(routes) * GRID.size
        assert self.searcher(space).ask(trials, 4) == []

    def test_a_space_of_one_route_is_asked_once(self) -> None:
        space = alike(tasks=1, subnets=1, layers=1)
        searcher = self.searcher(space, settings=SettingsSpace())
        only = searcher.ask([], 4)
        assert len(only) == 1
        assert searcher.ask(finished(only, [{"mean_gain": 0.5}]), 4) == []

    def test_ranges_of_settings_are_searched_too(self) -> None:
        space = alike(tasks=1, subnets=1, layers=1)
        ranges = SettingsSpace(parts=(LogUniform(name="lr", low=1e-4, high=1e-2),))
        searcher = self.searcher(space, settings=ranges)
        trials = random_trials(space, settings=ranges)
        candidates = searcher.ask(trials, 8)
        assert len({candidate.settings.lr for candidate in candidates}) == 8
        assert all(ranges.contains(candidate.settings) for candidate in candidates)

    def test_trials_of_routes_outside_the_space_are_passed_over(self) -> None:
        space = alike()
        trials = random_trials(space, 39)
        foreign = random_trials(alike(tasks=2), 1)[0]
        numbered = dataclasses.replace(foreign, number=39)
        assert len(self.searcher(space).ask([*trials, numbered], 6)) == 6

    def test_nothing_wanted_nothing_given(self) -> None:
        assert self.searcher(alike()).ask(random_trials(alike()), 0) == []

    def test_every_hyper_parameter_is_varied(self) -> None:
        own = {field.name for field in dataclasses.fields(self.kind)} - SHARED
        assert own == set(self.changes)

    def test_every_hyper_parameter_changes_the_answer(self) -> None:
        space = alike()
        trials = random_trials(space)
        answer = self.searcher(space).ask(trials, 8)
        for name, value in self.changes.items():
            assert self.searcher(space, options={name: value}).ask(trials, 8) != answer, name

    def test_hyper_parameters_out_of_range_are_refused(self) -> None:
        for name, value in self.refused.items():
            with pytest.raises(SpecError, match=name):
                self.searcher(alike(), options={name: value})

    @pytest.mark.parametrize("objectives", [(), (GAIN, GAIN)])
    def test_objectives_must_be_there_and_differ(self, objectives: tuple[Objective, ...]) -> None:
        with pytest.raises(SpecError, match="objectives"):
            self.searcher(alike(), objectives=objectives)


def _trial(candidate: Candidate, number: int) -> Trial:
    return finished([candidate], [{"mean_gain": float(number)}], first=number)[0]


def _parsed(candidate: Candidate, text: str) -> Candidate:
    route = type(candidate.route).parse(text)
    return Candidate(route=route, settings=candidate.settings)
