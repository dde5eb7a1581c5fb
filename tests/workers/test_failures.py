"""Every error has a failure kind."""

import errno
import inspect

import pytest

from mtnas import errors
from mtnas.store import FailureKind
from workers.failures import FAILURE_KINDS, RETRIED, describe

ERRORS = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, errors.MtnasError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_class_has_a_failure_kind(kind: type[errors.MtnasError]) -> None:
    failure = describe(kind(expected="this", found="that", where="there"), job_id="j")
    assert failure.kind is FAILURE_KINDS[kind]
    assert failure.problem["detail"] == "there: expected this, found that"


def test_only_faults_of_ours_are_worth_another_attempt() -> None:
    retried = {kind for kind in ERRORS if describe(kind(expected="", found="", where=""), job_id="j").retry}
    assert {FAILURE_KINDS[kind] for kind in retried} == set(RETRIED)
    assert not retried & {errors.DataError, errors.SpecError, errors.ExportError, errors.DivergedError}
    assert describe(KeyError("x"), job_id="j").retry


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), FailureKind.OUT_OF_DISK),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), FailureKind.OUT_OF_DISK),
        (PermissionError(errno.EACCES, "no"), FailureKind.INTERNAL),
        (MemoryError(), FailureKind.OUT_OF_MEMORY),
        (errors.LostActorError(expected="a", found="b", where="c"), FailureKind.LOST_WORKER),
        (RuntimeError("a fault of ours"), FailureKind.INTERNAL),
    ],
)
def test_a_failure_has_its_true_kind(error: Exception, kind: FailureKind) -> None:
    failure = describe(error, job_id="j")
    assert failure.kind is kind
    assert failure.retry is (kind in RETRIED)
    assert failure.patience == (RETRIED[kind] if failure.retry else 0.0)
