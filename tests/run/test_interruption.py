"""A job whose worker loses its lease at any write ends, in other hands, as an undisturbed one does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mtnas.data import DataAccess
from mtnas.errors import LeaseLostError
from mtnas.run import MemoryJournal
from tests.lean import NO_MODELS
from tests.run.interrupting import InterruptedJournal
from tests.run.jobs import SAMPLED, SMALL, EagerExecutor, run, spec_of, timeless, timeless_trials

SHORT: dict[str, Any] = {
    "training": {"batch_size": 64, "epochs": 1, "lr": {"grid": [0.003, 0.01]}, "extend": 0, "evaluate_every": 2},
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "baselines": ["shared_bottom"],
        "seeds": 1,
        "finalists": 1,
    },
}
JOBS: dict[str, Mapping[str, Any]] = {
    "reinforce": SMALL | SHORT,
    "sampled": SAMPLED | SHORT | {"budget": {"trials": 4}},
}
SAMPLES = 10


class Undisturbed:
    """A job that nobody disturbs."""

    def __init__(self, name: str, access: DataAccess) -> None:
        self.spec, self.kept = spec_of(base=JOBS[name]), MemoryJournal()
        journal = InterruptedJournal(self.kept)
        self.report = timeless(run(self.spec, journal, access, EagerExecutor()))
        self.writes = journal.writes

    def must_equal(self, kept: MemoryJournal) -> None:
        assert timeless_trials(kept.trials()) == timeless_trials(self.kept.trials())
        assert timeless(kept.report) == self.report
        assert kept.routes == self.kept.routes
        assert kept.graphs == self.kept.graphs
        assert kept._trials.keys() == self.kept._trials.keys()
        weights = {name: data for name, data in self.kept._checkpoints.items() if name.startswith("weights/")}
        assert {name: kept._checkpoints[name] for name in weights} == weights


@pytest.fixture(scope="module", params=JOBS)
def undisturbed(request: pytest.FixtureRequest, access: DataAccess) -> Undisturbed:
    return Undisturbed(request.param, access)


def test_every_kind_of_write_is_among_those_interrupted(undisturbed: Undisturbed) -> None:
    kinds = {"start_phase", "event", "search_ended", "add_trials", "finish_trials", "save_checkpoint", "add_graphs"}
    kinds.add("forget_checkpoints")
    assert set(undisturbed.writes) == kinds | {"add_routes", "put_report", "count_test_read"}


@pytest.mark.parametrize("sample", range(SAMPLES))
def test_a_lease_lost_at_a_write_changes_nothing_in_the_end(
    undisturbed: Undisturbed, sample: int, access: DataAccess
) -> None:
    at = (2 * sample + 1) * len(undisturbed.writes) // (2 * SAMPLES)
    kept = MemoryJournal()
    with pytest.raises(LeaseLostError):
        run(undisturbed.spec, InterruptedJournal(kept, at=at, durable=sample % 2 == 1), access, EagerExecutor())
    second = EagerExecutor()
    run(undisturbed.spec, kept, access, second)
    undisturbed.must_equal(kept)


@pytest.mark.parametrize("kind", ["finish_trials", "put_report", "count_test_read", "add_routes"])
def test_a_lease_lost_at_the_writes_that_matter_most(undisturbed: Undisturbed, kind: str, access: DataAccess) -> None:
    """The last of its kind: for trials, those that the report is about."""
    at = len(undisturbed.writes) - 1 - undisturbed.writes[::-1].index(kind)
    for durable in (False, True):
        kept = MemoryJournal()
        with pytest.raises(LeaseLostError):
            run(undisturbed.spec, InterruptedJournal(kept, at=at, durable=durable), access, EagerExecutor())
        run(undisturbed.spec, kept, access)
        undisturbed.must_equal(kept)


def test_a_job_that_is_interrupted_again_and_again_still_ends(undisturbed: Undisturbed, access: DataAccess) -> None:
    kept, attempts = MemoryJournal(), 0
    while kept.report is None:
        attempts += 1
        assert attempts < len(undisturbed.writes)
        try:
            run(undisturbed.spec, InterruptedJournal(kept, at=20), access, EagerExecutor())
        except LeaseLostError:
            continue
    assert attempts > 2
    undisturbed.must_equal(kept)


def test_what_is_done_is_not_done_again(undisturbed: Undisturbed, access: DataAccess) -> None:
    """A finished job that runs once more trains nothing, and packs that were under way go on from their state."""
    kept, again = MemoryJournal(), EagerExecutor()
    at = undisturbed.writes.index("finish_trials")
    with pytest.raises(LeaseLostError):
        run(undisturbed.spec, InterruptedJournal(kept, at=at), access, EagerExecutor())
    run(undisturbed.spec, kept, access, again)
    assert again.resumed
    assert len(set(again.finished)) == len(again.finished)
    idle = EagerExecutor()
    run(undisturbed.spec, kept, access, idle)
    assert idle.finished == []
    undisturbed.must_equal(kept)


def test_a_lost_lease_stops_the_packs_that_run(undisturbed: Undisturbed, access: DataAccess) -> None:
    """The executor's iterator is closed, which is how actors are told."""
    closed: list[bool] = []

    class Watching(EagerExecutor):
        def run(self, tasks: Any, data: Any) -> Any:
            try:
                yield from super().run(tasks, data)
            except GeneratorExit:
                closed.append(True)
                raise

    at = undisturbed.writes.index("save_checkpoint")
    with pytest.raises(LeaseLostError):
        run(undisturbed.spec, InterruptedJournal(MemoryJournal(), at=at), access, Watching())
    assert closed == [True]


def test_an_export_that_was_written_down_is_not_made_again(access: DataAccess) -> None:
    spec, kept = spec_of(base=JOBS["sampled"], export={"top": 1, "ensemble": "none"}), MemoryJournal()
    run(spec.model_copy(update={"export": spec.export.model_copy(update={"top": 0})}), kept, access)
    first = InterruptedJournal(kept)
    run(spec, first, access)
    assert first.writes.count("add_export") == 1
    again = InterruptedJournal(kept)
    run(spec, again, access)
    assert "add_export" not in again.writes
