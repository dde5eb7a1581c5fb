"""The job that another one extends, as the store has it."""

from __future__ import annotations

from mtnas.errors import NotFoundError
from mtnas.run.earlier_job import Earlier
from mtnas.store import JobRecord, Store
from mtnas.store.jobs.settling import failed_with_job
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

    digest = _data_digest(store, source.id)
    # Without a digest nothing was searched, and nothing says that the rest was trained on the same data.
    records = () if digest is None else store.trials.list(source.id, limit=None)
    ended = [record for record in records if record.state is not TrialState.RUNNING and not failed_with_job(record)]
    return Earlier(
        job_id=source.id,
        trials=[stored_trial(record) for record in ended],
        data_digest=digest,
        stop=source.stop or {},
        checkpoint=checkpoint,
    )


def _data_digest(store: Store, job_id: str) -> str | None:
    """Of the data that the job's figures are about: in its report, or with its routes if it ended before."""
    try:
        return str(store.reports.get(job_id).report["data_digest"])
    except NotFoundError:
        routes = store.routes.list(job_id=job_id, limit=1)
        return routes[0].data_digest if routes else None
