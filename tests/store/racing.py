"""What other processes do in the tests; each opens the store for itself."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from sqlalchemy import event

from mtnas.store import Artifacts, JobKind, JobState, NewTrial, Store, TrialResult
from mtnas.trials import TrialState


def meet(place: Path, *, number: int) -> None:
    """Wait until `number` processes have come here, so that they go on at the same time."""
    place.mkdir(exist_ok=True, parents=True)
    (place / f"{os.getpid()}").touch()
    deadline = time.monotonic() + 120.0
    while len(list(place.iterdir())) < number:
        assert time.monotonic() < deadline, "the other processes did not come"
        time.sleep(0.002)


def open_store(url: str, artifacts: Path, meeting: Path) -> int:
    meet(meeting, number=8)
    with Store.open(url, artifacts=artifacts) as store:
        store.check()
    return os.getpid()


def claim_all(url: str, artifacts: Path, meeting: Path) -> list[tuple[str, int]]:
    """Claim and finish jobs until none is left; gives what was claimed."""
    with Store.open(url, artifacts=artifacts) as store:
        meet(meeting, number=8)
        claimed = []
        while store.jobs.list(state=JobState.QUEUED, limit=1):
            lease = store.leases.claim(f"process {os.getpid()}")
            if lease is not None:
                claimed.append((lease.job_id, lease.attempt))
                store.hold(lease).finish()
        return claimed


def write_trials(url: str, artifacts: Path, meeting: Path, number: int) -> str:
    """Hold a job and write as fast as possible; gives its id."""
    with Store.open(url, artifacts=artifacts) as store:
        meet(meeting, number=8)
        lease = store.leases.claim(f"process {os.getpid()}")
        assert lease is not None
        holding = store.hold(lease)
        for trial in range(number):
            holding.add_trials([NewTrial(number=trial, phase="search", label="search", candidate={"trial": trial})])
            store.leases.renew(lease)
            holding.finish_trials([TrialResult(number=trial, state=TrialState.COMPLETE, values={"gain": trial})])
        holding.finish()
        return lease.job_id


def submit(url: str, artifacts: Path, meeting: Path) -> tuple[str, bool]:
    """Submit the same request as everybody else."""
    with Store.open(url, artifacts=artifacts) as store:
        meet(meeting, number=8)
        job, created = store.jobs.submit(JobKind.SEARCH, "a", {"x": 1}, idempotency_key="key")
        return job.id, created


def die_inside_transaction(url: str, artifacts: Path) -> None:
    """Finish trial 0, then die by SIGKILL after trial 1 was written but before its transaction commits."""
    with Store.open(url, artifacts=artifacts) as store:
        lease = store.leases.claim("doomed")
        assert lease is not None
        holding = store.hold(lease)
        holding.add_trials([NewTrial(number=trial, phase="search", label="", candidate={}) for trial in range(3)])
        holding.finish_trials([TrialResult(number=0, state=TrialState.COMPLETE)])
        # The listener runs once every statement of the transaction has been sent.
        event.listen(store._database.engine, "commit", lambda _: os.kill(os.getpid(), signal.SIGKILL))
        holding.finish_trials([TrialResult(number=1, state=TrialState.COMPLETE)])


class _Deadly:
    """A source that kills its reader half way."""

    reads = 0

    def read(self, _size: int) -> bytes:
        self.reads += 1
        if self.reads > 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return b"half of the weights"


def die_while_storing(artifacts: Path) -> None:
    Artifacts(artifacts)._put(_Deadly())  # type: ignore[arg-type]
