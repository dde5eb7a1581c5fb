"""The job that another one extends, as the store has it."""

from __future__ import annotations

from mtnas.errors import NotFoundError
from mtnas.run.earlier_job import Earlier
from mtnas.store import JobRecord, Store
from mtnas.trials import TrialState
from workers.trial_json import stored_trial


def earlier_job(store: Store, job: JobRecord) -> Earlier:
    """What the job that ``job`` extends left behind.

    Raises:
        NotFoundError: it was deleted.
    """
    if job.extends is None:
        raise NotFoundError(expected="the job that this one extends", found="none", where=f"job {job.id}")
    source = store.jobs.get(job.extends)

    def checkpoint(name: str) -> bytes | None:
        record = store.checkpoints.get(source.id, name)
        return None if record is None else store.artifacts.path(record.artifact).read_bytes()

    records = store.trials.list(source.id, limit=None)
    return Earlier(
        job_id=source.id,
        trials=[stored_trial(record) for record in records if record.state is not TrialState.RUNNING],
        data_digest=str(store.reports.get(source.id).report["data_digest"]),
        stop=source.stop or {},
        checkpoint=checkpoint,
    )
