"""How a failed attempt is told: one table from error class to failure kind, and whether another attempt may help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mtnas import errors, problems
from mtnas.store import FailureKind
from mtnas.store.database import NO_ROOM

FAILURE_KINDS: dict[type[errors.MtnasError], FailureKind] = {
    errors.MtnasError: FailureKind.INTERNAL,
    errors.SpecError: FailureKind.USER_ERROR,
    errors.SpaceError: FailureKind.USER_ERROR,
    errors.TaskError: FailureKind.USER_ERROR,
    errors.DataError: FailureKind.DATA_ERROR,
    errors.DataAccessError: FailureKind.DATA_ERROR,
    errors.TrainingError: FailureKind.INTERNAL,
    errors.LostActorError: FailureKind.LOST_WORKER,
    errors.DivergedError: FailureKind.DIVERGED,
    errors.OutOfMemoryError: FailureKind.OUT_OF_MEMORY,
    errors.SearchError: FailureKind.DIVERGED,
    errors.ExportError: FailureKind.INTERNAL,
    errors.StoreError: FailureKind.LOST_WORKER,
    errors.OutOfDiskError: FailureKind.OUT_OF_DISK,
    errors.NotFoundError: FailureKind.USER_ERROR,
    errors.ConflictError: FailureKind.INTERNAL,
    errors.LeaseLostError: FailureKind.LOST_WORKER,
    errors.QuotaError: FailureKind.USER_ERROR,
    errors.ServiceError: FailureKind.LOST_WORKER,
    errors.CancelledError: FailureKind.TIMEOUT,
}
"""The failure kind of every error class. ``internal`` are our own faults: the request is fine."""

RETRIED: Mapping[FailureKind, float] = MappingProxyType(
    {FailureKind.LOST_WORKER: 1.0, FailureKind.OUT_OF_DISK: 12.0, FailureKind.INTERNAL: 1.0}
)
"""Kinds after which another attempt may help, and how long to wait before it, in units of ``Settings.retry_s``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What to write about a failed attempt."""

    kind: FailureKind
    problem: Mapping[str, Any]
    retry: bool
    patience: float = 0.0


def describe(error: Exception, *, job_id: str) -> Failure:
    """The failure of an attempt that ended with this error.

    Only faults that are nobody's are worth another attempt: the same spec and data fail the same way.
    """
    if isinstance(error, errors.MtnasError):
        kind = FAILURE_KINDS[type(error)]
        # An export that differs from what was trained differs again, and a pack that breaks breaks again.
        repeats = isinstance(error, errors.ExportError | errors.TrainingError)
        retry = kind in RETRIED and (not repeats or isinstance(error, errors.LostActorError))
        return _failure(kind, error, retry=retry)
    if isinstance(error, MemoryError):
        known: errors.MtnasError = errors.OutOfMemoryError(
            expected="enough memory", found="none left", where=f"job {job_id}"
        )
        return _failure(FailureKind.OUT_OF_MEMORY, known, retry=False)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        known = errors.OutOfDiskError(expected="room for another file", found=str(error), where=f"job {job_id}")
        return _failure(FailureKind.OUT_OF_DISK, known, retry=True)
    known = errors.MtnasError(
        expected="an answer",
        found=f"an internal error ({type(error).__name__}), see the worker's log",
        where=f"job {job_id}",
    )
    return _failure(FailureKind.INTERNAL, known, retry=True)


def _failure(kind: FailureKind, error: errors.MtnasError, *, retry: bool) -> Failure:
    patience = RETRIED[kind] if retry else 0.0
    return Failure(kind=kind, problem=problems.to_document(error), retry=retry, patience=patience)
