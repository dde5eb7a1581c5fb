"""Any sequence of what users, workers and the reaper may do leaves jobs in a state that makes sense."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mtnas.errors import ConflictError, LeaseLostError
from mtnas.store import FailureKind, Holding, JobKind, JobRecord, JobState, Store
from mtnas.store.jobs.transitions import NEXT
from mtnas.trials import TrialState
from tests.store.values import complete, new_trial

MAX_ATTEMPTS = 2


class Jobs(RuleBasedStateMachine):
    """One job, its current holder, and every holder that it ever had."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.job, _ = store.jobs.submit(JobKind.SEARCH, "a", {}, max_attempts=MAX_ATTEMPTS)
        self.holder: Holding | None = None
        self.stale: list[Holding] = []
        self.finished_trials: dict[int, float | None] = {}
        self.losses = 0
        self.progressed = False

    def teardown(self) -> None:
        """Leave nothing that the next example could claim."""
        if self.holder is not None:
            self.holder.cancelled()
        elif not self.now().state.is_final:
            self.store.jobs.request_cancel(self.job.id)

    def now(self) -> JobRecord:
        return self.store.jobs.get(self.job.id)

    def let_go(self) -> None:
        assert self.holder is not None
        self.stale.append(self.holder)
        self.holder = None

    @rule()
    def claim(self) -> None:
        queued = self.now().state is JobState.QUEUED
        lease = self.store.leases.claim("w")
        assert (lease is not None) == queued
        if lease is not None:
            self.holder = self.store.hold(lease)
            self.progressed = False

    @rule()
    def retry(self) -> None:
        before = self.now().state
        if before in (JobState.FAILED, JobState.CANCELLED):
            after = self.store.jobs.retry(self.job.id)
            assert (after.state, after.cancel_requested, after.finished_at) == (JobState.QUEUED, False, None)
            self.losses = 0
        else:
            with pytest.raises(ConflictError):
                self.store.jobs.retry(self.job.id)

    @rule()
    def cancel(self) -> None:
        before = self.now()
        if before.state in (JobState.SUCCEEDED, JobState.FAILED):
            with pytest.raises(ConflictError):
                self.store.jobs.request_cancel(self.job.id)
        else:
            after = self.store.jobs.request_cancel(self.job.id)
            assert after.cancel_requested if after.state is JobState.RUNNING else after.state is JobState.CANCELLED

    @rule()
    def pause_or_resume(self) -> None:
        before = self.now()
        if before.state is JobState.RUNNING and not before.pause_requested:
            assert self.store.jobs.request_pause(self.job.id).pause_requested
        elif not before.state.is_final:
            after = self.store.jobs.resume(self.job.id)
            assert after.state is (JobState.RUNNING if before.state is JobState.RUNNING else JobState.QUEUED)
            assert not after.pause_requested

    @precondition(lambda self: self.holder is not None)
    @rule(number=st.integers(0, 3), value=st.floats(allow_nan=False, allow_infinity=False))
    def run_trial(self, number: int, value: float) -> None:
        assert self.holder is not None
        self.holder.add_trials([new_trial(number)])
        written = self.holder.finish_trials([complete(number, gain=value)])
        assert written == (() if number in self.finished_trials else (number,))
        self.progressed |= written == (number,)
        self.finished_trials.setdefault(number, value)

    @precondition(lambda self: self.holder is not None)
    @rule(number=st.integers(10, 12))
    def start_trial(self, number: int) -> None:
        assert self.holder is not None
        self.holder.add_trials([new_trial(number)])

    @precondition(lambda self: self.holder is not None)
    @rule(end=st.sampled_from(["finish", "cancelled", "release", "fail", "retry", "lapse"]))
    def let_the_holder_end(self, end: str) -> None:
        assert self.holder is not None
        before = self.holder.job
        if end in ("fail", "retry"):
            self.holder.fail(FailureKind.DIVERGED, {"title": "diverged"}, retry=end == "retry")
        elif end == "lapse":
            self.store.leases.renew(self.holder.lease, lease_s=-1.0)
            assert [job.id for job in self.store.leases.reap()] == [self.job.id]
        else:
            getattr(self.holder, end)()
        if end in ("fail", "retry", "lapse"):
            self.losses = 0 if self.progressed else self.losses + 1
        after = self.now().state
        assert after in NEXT[JobState.RUNNING]
        if end in ("release", "retry", "lapse"):
            back = self.losses < MAX_ATTEMPTS or end == "release"
            asked = JobState.PAUSED if before.pause_requested else JobState.QUEUED
            expected = JobState.CANCELLED if before.cancel_requested else asked if back else JobState.FAILED
        else:
            expected = {"finish": JobState.SUCCEEDED, "cancelled": JobState.CANCELLED}.get(end, JobState.FAILED)
        assert after is expected
        self.let_go()

    @rule()
    def reap(self) -> None:
        assert self.store.leases.reap() == ()

    @invariant()
    def stale_holders_cannot_write(self) -> None:
        for stale in self.stale[-2:]:
            with pytest.raises(LeaseLostError):
                stale.event("note", {})

    @invariant()
    def finished_trials_are_kept_once_and_nothing_runs_without_a_holder(self) -> None:
        trials = self.store.trials.list(self.job.id)
        done = {trial.number: trial.values["gain"] for trial in trials if trial.state is TrialState.COMPLETE}
        assert done == self.finished_trials
        if self.holder is None:
            assert all(trial.state is not TrialState.RUNNING for trial in trials)

    @invariant()
    def job_and_its_events_agree(self) -> None:
        job = self.now()
        assert (job.state is JobState.RUNNING) == (self.holder is not None)
        assert job.attempts_used == self.losses
        events = self.store.events.after(self.job.id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        states = [JobState(event.payload["state"]) for event in events if event.kind == "state"]
        assert states[-1] is job.state
        assert all(later in NEXT[earlier] for earlier, later in itertools.pairwise(states))


def test_jobs_make_sense_after_any_sequence_of_requests(store: Store) -> None:
    run_state_machine_as_test(
        lambda: Jobs(store),
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
