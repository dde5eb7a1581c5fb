"""How a failed attempt is told: one table from error class to failure kind, and whether another attempt may help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtnas import errors, problems
from mtnas.store import FailureKind

FAILURE_KINDS: dict[type[errors.MtnasError], FailureKind] = {
    errors.MtnasError: FailureKind.LOST_WORKER,
    errors.SpecError: FailureKind.USER_ERROR,
    errors.SpaceError: FailureKind.USER_ERROR,
    errors.TaskError: FailureKind.USER_ERROR,
    errors.DataError: FailureKind.DATA_ERROR,
    errors.DataAccessError: FailureKind.DATA_ERROR,
    errors.TrainingError: FailureKind.DIVERGED,
    errors.DivergedError: FailureKind.DIVERGED,
    errors.OutOfMemoryError: FailureKind.OUT_OF_MEMORY,
    errors.SearchError: FailureKind.DIVERGED,
    errors.ExportError: FailureKind.LOST_WORKER,
    errors.StoreError: FailureKind.LOST_WORKER,
    errors.NotFoundError: FailureKind.USER_ERROR,
    errors.ConflictError: FailureKind.LOST_WORKER,
    errors.LeaseLostError: FailureKind.LOST_WORKER,
    errors.ServiceError: FailureKind.LOST_WORKER,
    errors.CancelledError: FailureKind.TIMEOUT,
}
"""The failure kind of every error class. ``lost_worker`` stands for our own faults, too: the request is fine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What to write about a failed attempt."""

    kind: FailureKind
    problem: Mapping[str, Any]
    retry: bool


def describe(error: Exception, *, job_id: str) -> Failure:
    """The failure of an attempt that ended with this error.

    Only faults that are nobody's are worth another attempt: the same spec and data fail the same way.
    """
    if isinstance(error, errors.MtnasError):
        kind = FAILURE_KINDS[type(error)]
        retry = kind is FailureKind.LOST_WORKER and not isinstance(error, errors.ExportError)
        return Failure(kind=kind, problem=problems.to_document(error), retry=retry)
    if isinstance(error, MemoryError):
        known: errors.MtnasError = errors.OutOfMemoryError(
            expected="enough memory", found="none left", where=f"job {job_id}"
        )
        return Failure(kind=FailureKind.OUT_OF_MEMORY, problem=problems.to_document(known), retry=False)
    known = errors.MtnasError(
        expected="an answer",
        found=f"an internal error ({type(error).__name__}), see the worker's log",
        where=f"job {job_id}",
    )
    return Failure(kind=FailureKind.LOST_WORKER, problem=problems.to_document(known), retry=True)
