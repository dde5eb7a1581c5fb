"""What goes wrong ends a trial if it can, a job only if it must, and always with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mtnas.data import DataAccess
from mtnas.errors import (
    DataAccessError,
    DataError,
    MtnasError,
    OutOfMemoryError,
    SearchError,
    SpaceError,
    SpecError,
    TrainingError,
)
from mtnas.run import MemoryJournal
from mtnas.run.packs.pack_task import PackTask, TrainWork
from mtnas.run.task_models.trees import TreesWork
from mtnas.search.budgets.budget import SHARE_FROM
from mtnas.spec import JobSpec
from mtnas.trials import TrialState
from tests.run.jobs import DATA, SAMPLED, SMALL, TRAINING, FailingExecutor, run, size_of, spec_of

FULL = OutOfMemoryError(expected="a pack that fits", found="too little memory", where="pack")
BROKEN = TrainingError(expected="an actor", found="one that vanished", where="pack")
HUGE = 1e30


def grid(*rates: float) -> dict[str, Any]:
    return TRAINING | {"lr": {"grid": list(rates)}}


def states(journal: MemoryJournal, phase: str) -> list[TrialState]:
    return [trial.state for trial in journal.trials() if trial.phase == phase]


def numbers_of(spec: JobSpec, access: DataAccess, label: str) -> set[int]:
    """Numbers of the trials with a label, in an undisturbed run."""
    journal = MemoryJournal()
    run(spec, journal, access)
    return {trial.number for trial in journal.trials() if trial.label == label}


def trials_fail(numbers: set[int]) -> FailingExecutor:
    """Packs whose first trial is among these fail, as a whole and for no lack of memory."""

    def reason(task: PackTask) -> MtnasError | None:
        number = task.key.rpartition("/")[2].partition("+")[0]
        return BROKEN if isinstance(task.work, TrainWork) and int(number) in numbers else None

    return FailingExecutor(reason)


class TestCandidates:
    @pytest.mark.parametrize("base", [SMALL, SAMPLED], ids=["reinforce", "sampled"])
    def test_a_learning_rate_that_diverges_costs_its_trials_alone(
        self, base: Mapping[str, Any], access: DataAccess
    ) -> None:
        journal = MemoryJournal()
        report = run(spec_of(base=base, training=grid(0.01, HUGE)), journal, access)
        failed = [trial for trial in journal.trials() if trial.state is TrialState.FAILED]
        assert failed
        for trial in failed:
            assert trial.candidate.settings.lr == HUGE
            assert trial.failure is not None
            assert "expected a finite" in trial.failure
            assert trial.evaluations == ()
        for row in report["rows"]:
            assert row["lr"] == 0.01
            assert (row["seeds"], row["failed"]) == (2, 0)
            assert report["tuning"][row["label"]]["curve"][str(HUGE)] is None

    def test_a_job_in_which_nothing_can_be_trained_ends_with_the_reason(self, access: DataAccess) -> None:
        journal = MemoryJournal()
        with pytest.raises(SearchError, match=r"baselines.*failed trials.*expected a finite .* found nan"):
            run(spec_of(training=grid(HUGE, 2 * HUGE)), journal, access)
        assert set(states(journal, "baselines")) == {TrialState.FAILED}
        assert journal.report is None

    def test_single_task_networks_that_fail_end_the_job_since_gains_need_them(self, access: DataAccess) -> None:
        failing = trials_fail(numbers_of(spec_of(), access, "single_task"))
        with pytest.raises(SearchError, match=r"single_task.*vanished"):
            run(spec_of(), MemoryJournal(), access, failing)

    def test_another_baseline_that_fails_is_a_row_without_figures(self, access: DataAccess) -> None:
        failing = trials_fail(numbers_of(spec_of(), access, "shared_bottom"))
        report = run(spec_of(), MemoryJournal(), access, failing)
        rows = {row["label"]: row for row in report["rows"]}
        assert (rows["shared_bottom"]["seeds"], rows["shared_bottom"]["failed"]) == (0, 2)
        assert rows["shared_bottom"]["valid_score"] is None
        assert rows["shared_bottom"]["mean_gain"] == {"mean": None, "deviation": None}
        assert report["comparisons"][0]["second"] == "single_task"

    def test_finalists_that_cannot_be_retrained_end_the_job_with_the_reason(self, access: DataAccess) -> None:
        def fails(task: PackTask) -> MtnasError | None:
            kept = isinstance(task.work, TrainWork) and task.work.keep_weights
            return FULL if kept else None

        with pytest.raises(SearchError, match=r"retrain.*finalist|finalist.*retrain"):
            run(spec_of(), MemoryJournal(), access, FailingExecutor(fails))

    def test_one_seed_that_fails_leaves_the_others_paired(self, access: DataAccess) -> None:
        journal = MemoryJournal()
        spec = spec_of(resources={"pack_size": 1}, protocol=SMALL["protocol"] | {"seeds": 3})
        last = max(numbers_of(spec, access, "single_task"))
        report = run(spec, journal, access, trials_fail({last}))
        rows = {row["label"]: row for row in report["rows"]}
        assert (rows["single_task"]["seeds"], rows["single_task"]["failed"]) == (2, 1)
        assert rows["single_task"]["mean_gain"]["mean"] == 0
        assert rows["finalist-1"]["seeds"] == 3
        assert report["comparisons"][0]["seeds"] == 2


class TestSearches:
    def test_a_generation_that_fails_as_a_whole_does_not_end_the_search(self, access: DataAccess) -> None:
        journal = MemoryJournal()
        spec = spec_of(base=SAMPLED, search={"kind": "random", "generation": 1}, training=grid(0.01, HUGE))
        run(spec, journal, access)
        assert {*states(journal, "search")} == {TrialState.COMPLETE, TrialState.FAILED}
        assert len(states(journal, "search")) == SAMPLED["budget"]["trials"]

    def test_a_search_in_which_everything_fails_gives_up_with_the_reason(self, access: DataAccess) -> None:
        journal = MemoryJournal()
        failing = FailingExecutor(lambda task: FULL if task.key.startswith("search/") else None)
        spec = spec_of(base=SAMPLED, search={"kind": "random", "generation": 5}, budget={"trials": 200})
        with pytest.raises(SearchError, match="too little memory"):
            run(spec, journal, access, failing)
        assert SHARE_FROM <= len(states(journal, "search")) < SHARE_FROM + 5

    def test_a_policy_search_that_diverges_ends_the_job_with_the_reason(self, access: DataAccess) -> None:
        failing = FailingExecutor(lambda task: FULL if task.key == "search/reinforce" else None)
        with pytest.raises(OutOfMemoryError, match="too little memory"):
            run(spec_of(), MemoryJournal(), access, failing)

    def test_boosted_trees_that_fail_are_a_warning(self, access: DataAccess) -> None:
        journal = MemoryJournal()
        failing = FailingExecutor(lambda task: FULL if isinstance(task.work, TreesWork) else None)
        report = run(spec_of(protocol=SMALL["protocol"] | {"boosted_trees": True}), journal, access, failing)
        assert "boosted_trees" not in {row["label"] for row in report["rows"]}
        warnings = [payload for kind, payload in journal.events if kind == "warning"]
        assert [w["where"] for w in warnings] == ["boosted_trees"], "one for both tasks"
        assert all("too little memory" in w["text"] for w in warnings)


class TestMemory:
    @pytest.mark.parametrize("most", [1, 2])
    def test_a_pack_that_does_not_fit_is_halved_until_it_does(self, most: int, access: DataAccess) -> None:
        whole, halved = MemoryJournal(), MemoryJournal()
        protocol = SMALL["protocol"] | {"seeds": 5}
        spec = spec_of(base=SAMPLED, protocol=protocol, resources={"pack_size": 5})
        run(spec, whole, access)
        tight = FailingExecutor(lambda task: FULL if size_of(task) > most else None)
        run(spec, halved, access, tight)
        assert {size_of(task) for task in tight.failed} <= {2, 3, 4, 5}
        assert max(size_of(task) for task in tight.failed) == 5
        for one, two in zip(whole.trials(), halved.trials(), strict=True):
            assert two.state is TrialState.COMPLETE
            assert (one.number, one.candidate) == (two.number, two.candidate)
            for name, value in one.values.items():
                assert value == pytest.approx(two.values[name], abs=0.01)  # float32 rounding may move a rank
        kept = [{n for n in journal._checkpoints if n.startswith("weights/")} for journal in (whole, halved)]
        assert kept[0] == kept[1]

    def test_a_candidate_that_does_not_fit_alone_fails_and_takes_nobody_along(self, access: DataAccess) -> None:
        journal = MemoryJournal()

        def seed_one_never_fits(task: PackTask) -> MtnasError | None:
            if not isinstance(task.work, TrainWork):
                return None
            return FULL if any(c.settings.seed == 1 for c in task.work.candidates) else None

        spec = spec_of(protocol=SMALL["protocol"] | {"seeds": 4}, resources={"pack_size": 4})
        report = run(spec, journal, access, FailingExecutor(seed_one_never_fits))
        for trial in journal.trials():
            fits = trial.candidate.settings.seed != 1
            assert trial.state is (TrialState.COMPLETE if fits else TrialState.FAILED)
            assert fits or trial.failure == str(FULL)
        assert all((row["seeds"], row["failed"]) == (3, 1) for row in report["rows"])


class TestRequests:
    @pytest.mark.parametrize("limits", [{"max_params": 1}, {"max_macs": 1}])
    def test_constraints_that_no_route_keeps_to_are_refused_before_any_training(
        self, limits: Mapping[str, int], access: DataAccess
    ) -> None:
        journal = MemoryJournal()
        with pytest.raises(SpaceError, match="constraints"):
            run(spec_of(constraints=limits), journal, access)
        assert journal.phases == ["prepare"]
        assert journal.trials() == []

    @pytest.mark.parametrize("base", [SMALL, SAMPLED], ids=["reinforce", "sampled"])
    @pytest.mark.parametrize("limits", [{"max_params": 210}, {"max_in_degree": 1}], ids=["params", "in-degree"])
    def test_constraints_bind_every_route_that_is_searched(
        self, base: Mapping[str, Any], limits: Mapping[str, int], access: DataAccess
    ) -> None:
        free, bound = MemoryJournal(), MemoryJournal()
        run(spec_of(base=base), free, access)
        run(spec_of(base=base, constraints=limits), bound, access)

        def broken(journal: MemoryJournal) -> list[str]:
            found = [t for t in journal.trials() if t.phase in ("search", "tune") or t.label.startswith("finalist")]
            return [
                t.candidate.route.text
                for t in found
                if t.values["num_params"] > limits.get("max_params", 10**9)
                or max(len(m.inputs) for _, m in t.candidate.route.mixes) > limits.get("max_in_degree", 99)
            ]

        assert broken(free)
        assert broken(bound) == []

    def test_a_space_that_is_only_named_is_refused(self, access: DataAccess) -> None:
        with pytest.raises(SpecError, match="expanded space"):
            run(JobSpec.model_validate(SMALL), MemoryJournal(), access)

    def test_a_space_of_other_tasks_is_refused(self, access: DataAccess) -> None:
        spec = spec_of()
        others = tuple(task.model_copy(update={"tower": (5,)}) for task in spec.tasks)
        with pytest.raises(SpaceError, match="towers"):
            run(spec.model_copy(update={"tasks": others}), MemoryJournal(), access)

    def test_a_label_that_the_data_does_not_have_is_named(self, access: DataAccess) -> None:
        tasks = [*SMALL["tasks"][:1], {"name": "churn", "kind": "binary", "tower": [4]}]
        with pytest.raises(DataError, match=r"tasks\[1\].label.*'churn'"):
            run(spec_of(tasks=tasks), MemoryJournal(), access)

    def test_a_file_outside_the_roots_is_refused(self, access: DataAccess, tmp_path: Path) -> None:
        (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
        data = {"source": {"kind": "file", "paths": [str(tmp_path / "secret.csv")]}}
        with pytest.raises(DataAccessError, match="below the data roots"):
            run(spec_of(data=data), MemoryJournal(), access)

    def test_labels_that_contradict_the_task_are_found_when_read(self, access: DataAccess) -> None:
        options = {**DATA["source"]["options"], "kind": "regression"}
        data = {"source": {**DATA["source"], "options": options}}
        with pytest.raises(DataError, match="0, 1, true or false"):
            run(spec_of(data=data), MemoryJournal(), access)
