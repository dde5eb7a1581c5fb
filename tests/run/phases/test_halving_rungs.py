"""Successive halving of generations: the best of the whole generation survive, at the price that was promised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from mtnas.data import DataAccess, EncodedData, load
from mtnas.errors import LeaseLostError, MtnasError, OutOfMemoryError, SearchError, TrainingError
from mtnas.run import MemoryJournal
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import PackEvent, TrainResult
from mtnas.run.packs.pack_task import PackTask, TrainWork
from mtnas.search.budgets.halving_plan import Rung, candidate_steps
from mtnas.spec import JobSpec
from mtnas.training.feeding.task_batches import steps_per_epoch
from mtnas.trials import Trial, TrialState
from tests.lean import NO_MODELS
from tests.run.interrupting import InterruptedJournal
from tests.run.jobs import (
    SAMPLED,
    BackwardsExecutor,
    EagerExecutor,
    FailingExecutor,
    run,
    size_of,
    spec_of,
    timeless,
    timeless_trials,
)

GENERATION, EPOCHS = 9, 9
HALVED: dict[str, Any] = SAMPLED | {
    "search": {"kind": "random", "generation": GENERATION, "halving": {"reduction": 3, "min_epochs": 1}},
    "training": {"batch_size": 64, "epochs": EPOCHS, "lr": {"grid": [0.003, 0.01, 0.03]}, "extend": 0},
    "objectives": [{"metric": "task_0.auc", "direction": "max"}],
    "budget": {"trials": GENERATION},
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "baselines": [],
        "seeds": 1,
        "finalists": 1,
    },
    "resources": {"pack_size": 4},
}
FULL = OutOfMemoryError(expected="a pack that fits", found="too little memory", where="pack")
BROKEN = TrainingError(expected="an actor", found="one that vanished", where="pack")


def searched(journal: MemoryJournal) -> list[Trial]:
    return [trial for trial in journal.trials() if trial.phase == "search"]


def reached(trial: Trial) -> float:
    return trial.evaluations[0].costs["candidate_steps"]


def fates(journal: MemoryJournal) -> list[tuple[int, TrialState, float]]:
    return [(trial.number, trial.state, reached(trial)) for trial in searched(journal)]


@pytest.fixture(scope="module")
def data(access: DataAccess) -> EncodedData:
    spec = spec_of(base=HALVED)
    return load(spec.data, [task.to_task() for task in spec.tasks], access=access)


@pytest.fixture(scope="module")
def steps(data: EncodedData) -> int:
    """Of an epoch."""
    return steps_per_epoch(data, own_rows=False, parts=("train",), batch_size=64)


class Listening:
    """Remembers every candidate's objective and every pack's size by the steps taken, and packs without a state."""

    def __init__(self) -> None:
        self.fresh: list[str] = []
        self.seen: dict[int, list[float]] = {}
        self.sizes: dict[int, list[int]] = {}

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``Executor``."""
        for task in tasks:
            if task.resume is None:
                self.fresh.append(task.key)
            for event in execute(task, data):
                if isinstance(event, TrainResult) and task.key.startswith("search/"):
                    for outcome in event.outcomes:
                        on_search = next(e for e in outcome.evaluations if e.part == "search")
                        taken = int(on_search.costs["candidate_steps"])
                        self.seen.setdefault(taken, []).append(on_search.per_task["task_0"]["auc"])
                    self.sizes.setdefault(taken, []).append(len(event.outcomes))
                yield event


@pytest.fixture(scope="module")
def halved(access: DataAccess) -> tuple[MemoryJournal, Listening, Any]:
    journal, listening = MemoryJournal(), Listening()
    return journal, listening, run(spec_of(base=HALVED), journal, access, listening)


@pytest.fixture(scope="module")
def whole(access: DataAccess) -> InterruptedJournal:
    """The writes of a job that saves a checkpoint at every look, and is not interrupted."""
    journal = InterruptedJournal(MemoryJournal())
    run(spec_of(base=HALVED), journal, access, EagerExecutor())
    return journal


class TestBracket:
    def test_a_third_goes_on_at_every_rung(self, halved: tuple[MemoryJournal, Listening, Any], steps: int) -> None:
        trials = searched(halved[0])
        taken = sorted(reached(trial) for trial in trials)
        assert taken == [steps] * 6 + [3 * steps] * 2 + [9 * steps]
        for trial in trials:
            ended_early = reached(trial) < EPOCHS * steps
            assert trial.state is (TrialState.PRUNED if ended_early else TrialState.COMPLETE)
            assert ("pruned" in trial.notes) is ended_early
            assert trial.failure is None
        assert {trial.notes["pruned"]["rung"] for trial in trials if trial.notes} == {1, 2}

    def test_the_best_of_the_generation_go_on_whatever_pack_they_are_in(
        self, halved: tuple[MemoryJournal, Listening, Any], steps: int
    ) -> None:
        journal, listening, _ = halved
        for rung, keep in ((steps, 3), (3 * steps, 1)):
            dropped = [trial.values["task_0.auc"] for trial in searched(journal) if reached(trial) == rung]
            scores = sorted(listening.seen[rung], reverse=True)
            assert sorted(dropped, reverse=True) == scores[keep:]

    def test_survivors_are_packed_anew(self, halved: tuple[MemoryJournal, Listening, Any], steps: int) -> None:
        listening = halved[1]
        assert sum(listening.sizes[steps]) == 9
        assert len(listening.sizes[steps]) > 2
        assert sum(listening.sizes[3 * steps]) == 3

    def test_survivors_go_on_from_the_rung(self, halved: tuple[MemoryJournal, Listening, Any], steps: int) -> None:
        fresh = [key for key in halved[1].fresh if key.startswith("search/")]
        assert fresh
        assert all(key.endswith(f"@{steps}") for key in fresh)

    def test_no_state_is_kept_that_nobody_goes_on_from(self, halved: tuple[MemoryJournal, Listening, Any]) -> None:
        assert not [name for name in halved[0]._checkpoints if name.startswith("pack/")]

    def test_the_search_costs_the_steps_that_were_taken(
        self, halved: tuple[MemoryJournal, Listening, Any], steps: int
    ) -> None:
        plan = (Rung(steps=steps, keep=3), Rung(steps=3 * steps, keep=1))
        expected = candidate_steps(plan, num_candidates=GENERATION, max_steps=EPOCHS * steps)
        assert halved[2]["search"]["candidate_steps"] == expected < GENERATION * EPOCHS * steps / 2
        assert halved[2]["search"]["trials"] == GENERATION

    def test_only_a_candidate_that_was_trained_to_the_end_becomes_a_finalist(
        self, halved: tuple[MemoryJournal, Listening, Any]
    ) -> None:
        journal = halved[0]
        (complete,) = (trial for trial in searched(journal) if trial.state is TrialState.COMPLETE)
        finalists = {trial.route_digest for trial in journal.trials() if trial.label == "finalist-1"}
        assert finalists == {complete.route_digest}

    def test_a_survivor_has_the_figures_of_the_candidate_trained_alone(
        self, halved: tuple[MemoryJournal, Listening, Any], access: DataAccess
    ) -> None:
        (survivor,) = (trial for trial in searched(halved[0]) if trial.state is TrialState.COMPLETE)
        journal = MemoryJournal()
        search = {"kind": "random", "generation": GENERATION}
        run(spec_of(base=HALVED, search=search, resources={"pack_size": 1}), journal, access)
        alone = next(trial for trial in searched(journal) if trial.number == survivor.number)
        assert alone.candidate == survivor.candidate
        for one, two in zip(alone.evaluations, survivor.evaluations, strict=True):
            assert one.costs["candidate_steps"] == two.costs["candidate_steps"]
            for task, metrics in one.per_task.items():
                assert metrics["log_loss"] == pytest.approx(two.per_task[task]["log_loss"], rel=1e-4)


class TestReproducibility:
    @pytest.mark.parametrize("size", [1, 9])
    def test_who_survives_does_not_depend_on_the_size_of_packs(
        self, size: int, halved: tuple[MemoryJournal, Listening, Any], access: DataAccess
    ) -> None:
        journal = MemoryJournal()
        run(spec_of(base=HALVED, resources={"pack_size": size}), journal, access)
        assert fates(journal) == fates(halved[0])

    def test_nor_on_the_order_in_which_packs_end(
        self, halved: tuple[MemoryJournal, Listening, Any], access: DataAccess
    ) -> None:
        journal = MemoryJournal()
        run(spec_of(base=HALVED), journal, access, BackwardsExecutor())
        assert timeless_trials(journal.trials()) == timeless_trials(halved[0].trials())

    @pytest.mark.parametrize("durable", [False, True])
    def test_a_lease_lost_at_any_rung_changes_nothing_in_the_end(
        self, durable: bool, whole: InterruptedJournal, halved: tuple[MemoryJournal, Listening, Any], access: DataAccess
    ) -> None:
        phases = [at for at, write in enumerate(whole.writes) if write == "start_phase"]
        critical = [
            at
            for at in range(phases[2], phases[3])
            if whole.writes[at] in ("save_checkpoint", "finish_trials") and whole.writes[at - 1] != whole.writes[at]
        ]
        assert len(critical) > 4
        for at in critical[durable :: len(critical) // 3]:
            kept = MemoryJournal()
            with pytest.raises(LeaseLostError):
                run(spec_of(base=HALVED), InterruptedJournal(kept, at=at, durable=durable), access, EagerExecutor())
            second = EagerExecutor()
            report = run(spec_of(base=HALVED), kept, access, second)
            assert timeless_trials(kept.trials()) == timeless_trials(halved[0].trials())
            assert timeless(report) == timeless(halved[2])


class TestFailures:
    def test_a_candidate_that_diverges_fails_at_the_rung_and_the_best_of_the_rest_go_on(
        self, access: DataAccess, steps: int
    ) -> None:
        journal = MemoryJournal()
        run(spec_of(base=HALVED, training=HALVED["training"] | {"lr": {"grid": [0.003, 1e30]}}), journal, access)
        for trial in searched(journal):
            diverged = trial.candidate.settings.lr == 1e30
            assert (trial.state is TrialState.FAILED) is diverged
            assert diverged or reached(trial) >= steps
        assert any(trial.state is TrialState.COMPLETE for trial in searched(journal))

    def test_a_pack_that_is_lost_costs_its_candidates_alone(self, access: DataAccess) -> None:
        journal, lost = MemoryJournal(), []

        def first_of_search(task: PackTask) -> MtnasError | None:
            if task.key.startswith("search/") and not lost:
                lost.extend(range(size_of(task)))
                return BROKEN
            return None

        run(spec_of(base=HALVED), journal, access, FailingExecutor(first_of_search))
        states = [trial.state for trial in searched(journal)]
        assert states.count(TrialState.FAILED) == len(lost)
        assert states.count(TrialState.COMPLETE) == 1

    def test_nothing_that_can_be_trained_ends_the_job_with_the_reason(self, access: DataAccess) -> None:
        failing = FailingExecutor(lambda task: BROKEN if task.key.startswith("search/") else None)
        with pytest.raises(SearchError, match="vanished"):
            run(spec_of(base=HALVED), MemoryJournal(), access, failing)

    def test_a_pack_that_does_not_fit_any_more_goes_on_in_halves(
        self, halved: tuple[MemoryJournal, Listening, Any], access: DataAccess, steps: int
    ) -> None:
        """Only after the first rung, so that the halves have a state to go on from."""
        journal, late = MemoryJournal(), []

        def too_large(task: PackTask) -> MtnasError | None:
            if not isinstance(task.work, TrainWork) or task.work.until != 3 * steps:
                return None
            late.append(task)
            return FULL if size_of(task) > 1 else None

        tight = FailingExecutor(too_large)
        run(spec_of(base=HALVED, resources={"pack_size": 9}), journal, access, tight)
        assert fates(journal) == fates(halved[0])
        assert tight.failed
        assert len(late) > len(tight.failed)
        assert all(task.resume is not None for task in late)


class TestRequest:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"training": {"epochs": 2}}, "at least 3 epochs"),
            ({"search": HALVED["search"] | {"generation": 2}}, "generations of as many"),
            ({"search": HALVED["search"] | {"halving": {"reduction": 1}}}, "greater than or equal to 2"),
            ({"search": {"kind": "reinforce", "halving": {}}}, "halving"),
        ],
    )
    def test_what_could_never_halve_is_refused(self, changes: dict[str, Any], reason: str) -> None:
        with pytest.raises(ValidationError, match=reason):
            JobSpec.model_validate({**HALVED, **changes})

    def test_looks_more_often_than_once_an_epoch_allow_earlier_rungs(self, access: DataAccess, steps: int) -> None:
        journal = MemoryJournal()
        spec = spec_of(
            base=HALVED,
            search=HALVED["search"] | {"halving": {"reduction": 3, "min_epochs": 0.3}},
            training=HALVED["training"] | {"epochs": 3, "evaluate_every": 1},
        )
        run(spec, journal, access)
        first = min(reached(trial) for trial in searched(journal))
        assert 0 < first < steps
