"""Repeated requests: the same key and the same body are answered by the job that the first one made."""

from __future__ import annotations

from api.requests.planning import written_out
from mtnas.spec import JobSpec
from mtnas.store import JobRecord, Store


def known_job(store: Store, spec: JobSpec, idempotency_key: str | None) -> JobRecord | None:
    """The job that this request has made before, whatever has become of the files and data sets that it names.

    ``None`` where the key is new, or stands for a request that differs: planning and storing decide then.
    """
    job = None if idempotency_key is None else store.jobs.of_key(idempotency_key)
    return job if job is not None and job.spec == written_out(spec) else None
