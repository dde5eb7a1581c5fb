"""What the store says of jobs, leases, workers and tokens: frozen values, never database rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

Json = Mapping[str, Any]


class JobKind(StrEnum):
    """What a job is for."""

    PROFILE = "profile"
    SEARCH = "search"
    EXPORT = "export"
    EXTEND = "extend"


class JobState(StrEnum):
    """Where a job is; `transitions.py` holds the only ways from one to the next."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class FailureKind(StrEnum):
    """Why a job failed; ``internal`` is a fault of ours."""

    USER_ERROR = "user_error"
    DATA_ERROR = "data_error"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_DISK = "out_of_disk"
    LOST_WORKER = "lost_worker"
    TIMEOUT = "timeout"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHead:
    """A job's state without the request, which may be large: what lists and transactions read.

    Attributes:
        phase: the phase that the current or last attempt reached.
        progress: the latest figures of that phase.
        attempt: how often the job was claimed; the fencing number of its lease.
        attempts_used: attempts in a row that ended badly (lost, or failed and retried) without having brought the job
            on; pausing and releasing use none.
        max_attempts: the job fails once so many attempts ended like that.
        failure: the problem document of a failed job.
        stop: why its search ended: ``reason``, ``detail``, ``reproducible``; None while it has not, or had none.
        extends: the job that this one goes on from.
        precedence: jobs of a lower one are claimed first.
        progressed: whether the current attempt has ended a trial or kept a file.
        not_before: when the next attempt may begin; None for at once.
        device_seconds: what its trials have taken of their devices.
        labels: names and values that people have given it, to find it by.
        note: what people say of it.
        deleted_at: when it was put aside; nobody but who looks for such jobs sees it.
    """

    id: str
    kind: JobKind
    name: str
    owner: str
    idempotency_key: str | None
    state: JobState
    phase: str | None
    progress: Json
    attempt: int
    attempts_used: int
    max_attempts: int
    worker: str | None
    lease_deadline: datetime | None
    cancel_requested: bool
    pause_requested: bool
    failure_kind: FailureKind | None
    failure: Json | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    stop: Json | None
    extends: str | None
    precedence: int
    progressed: bool
    not_before: datetime | None
    device_seconds: float
    labels: Mapping[str, str]
    note: str | None
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord(JobHead):
    """A job with its request as JSON, self-contained."""

    spec: Json


class TokenRole(StrEnum):
    """What the bearer of a token may do; each role holds those before it."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """A bearer token, of which only the hash is known; with it one works on what its owner has."""

    id: str
    name: str
    role: TokenRole
    sha256: str
    created_at: datetime
    revoked_at: datetime | None
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """Something that somebody did, or tried to: ``status`` is the answer's."""

    id: str
    at: datetime
    actor: str
    owner: str
    role: str
    action: str
    target: str
    status: int
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What differs once something has happened to a job."""

    id: str
    last_event: int
    state: JobState
    updated_at: datetime
    progress: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A worker process: what it can do, and whether it was heard of of late (`beat_at`)."""

    name: str
    version: str
    kinds: Sequence[str]
    devices: Sequence[str]
    started_at: datetime
    beat_at: datetime
    is_alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one worker to work on one job until the deadline, unless renewed."""

    job_id: str
    worker: str
    attempt: int
    deadline: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSignal:
    """What a heartbeat brings back: what somebody asked of the holder, and the new deadline."""

    cancel: bool
    pause: bool
    deadline: datetime
