"""Settings of a worker process, read once from the environment (prefix ``MTNAS_``)."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from mtnas.errors import SpecError
from mtnas.places import Places, describe, split_commas
from mtnas.store import JobKind


class Settings(Places):
    """How a worker holds jobs and where it runs them.

    Attributes:
        lease_s: seconds a lease lasts unless renewed.
        heartbeat_s: seconds between two renewals.
        reap_s: seconds between two looks for leases that have run out.
        retry_s: seconds before the next attempt after one that ended badly and in vain; longer after every further
            one, and after a full disk.
        poll_s: seconds between two looks into an empty queue.
        job_timeout_s: seconds one attempt at a job may take; ``None`` for no limit.
        executor: ``ray``, or ``local`` to train inside this process.
        ray_address: host and port of the Ray cluster to join, of which a node must run on this machine; ``None``
            starts a cluster of its own. Never a name that Ray looks up: it might find somebody else's cluster.
        ray_cpus: processors for Ray; ``None`` takes the physical ones this process may use.
        ray_object_store_mib: shared memory for the data that actors read.
        ray_wait_s: seconds a job waits for a node that can hold its packs, in a cluster that others have started.
        tidy_s: seconds between two looks for files that nothing refers to.
        garbage_age_s: seconds after which such a file is deleted, and encoded data may be.
        trash_days: days after which jobs that were deleted are purged with all that they left; until then they can be
            restored.
        audit_days: days after which it is forgotten who did what.
        cache_mib: what encoded data may take on disk; ``None`` for no limit.
        kinds: kinds of jobs to take (``MTNAS_KINDS``, separated by commas); by default all. A worker for ``profile``
            and ``export`` alone keeps these from waiting for searches.
        ray_rest_s: seconds without a job after which this worker's actors leave such a cluster to others.
    """

    lease_s: Annotated[float, Field(gt=0)] = 60.0
    heartbeat_s: Annotated[float, Field(gt=0)] = 10.0
    reap_s: Annotated[float, Field(gt=0)] = 15.0
    retry_s: Annotated[float, Field(ge=0)] = 5.0
    poll_s: Annotated[float, Field(gt=0)] = 1.0
    job_timeout_s: Annotated[float, Field(gt=0)] | None = None
    executor: Literal["ray", "local"] = "ray"
    ray_address: Annotated[str, Field(pattern=r"^[^/:]+:\d+$")] | None = None
    ray_cpus: Annotated[int, Field(ge=1)] | None = None
    ray_object_store_mib: Annotated[int, Field(ge=80)] = 300
    ray_wait_s: Annotated[float, Field(ge=0)] = 60.0
    kinds: Annotated[tuple[JobKind, ...], NoDecode] = tuple(JobKind)
    ray_rest_s: Annotated[float, Field(ge=0)] = 10.0
    tidy_s: Annotated[float, Field(gt=0)] = 3600.0
    garbage_age_s: Annotated[float, Field(gt=0)] = 86_400.0
    trash_days: Annotated[float, Field(ge=0)] = 7.0
    audit_days: Annotated[float, Field(gt=0)] = 365.0
    cache_mib: Annotated[int, Field(ge=0)] | None = None

    @field_validator("kinds", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return split_commas(value)

    @model_validator(mode="after")
    def _lease_outlives_heartbeat(self) -> Settings:
        if self.lease_s < 2 * self.heartbeat_s:
            raise SpecError(
                expected="a lease of at least two heartbeats",
                found=f"lease {self.lease_s} s, heartbeat {self.heartbeat_s} s",
                where="MTNAS_LEASE_S",
            )
        return self


if __name__ == "__main__":
    print(json.dumps(describe(Settings())))
