"""Repeated requests: the same key and the same body are answered by the job that the first one made."""

from __future__ import annotations

from mtnas.spec import JobSpec
from mtnas.store import JobRecord, Store

_WRITTEN_OUT = {"space", "constraints"}
"""Parts that planning changes: the space is written out, and its limits are added."""


def known_job(store: Store, spec: JobSpec, idempotency_key: str) -> JobRecord | None:
    """The job that this request has made before, whatever has become of the files and data sets that it names.

    ``None`` where the key is new, or stands for a request that differs: planning and storing decide then.
    """
    job = store.jobs.of_key(idempotency_key)
    if job is None:
        return None
    asked = spec.model_dump(mode="json", exclude=_WRITTEN_OUT)
    kept = {name: part for name, part in job.spec.items() if name not in _WRITTEN_OUT}
    space = job.spec.get("space", {})
    same_space = (space.get("name"), space.get("options")) == (spec.space.name, spec.space.options)
    return job if asked == kept and same_space else None
