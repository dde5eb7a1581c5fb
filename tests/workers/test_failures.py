"""Every error has a failure kind."""

import inspect

import pytest

from mtnas import errors
from mtnas.store import FailureKind
from workers.failures import FAILURE_KINDS, describe

ERRORS = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, errors.MtnasError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_class_has_a_failure_kind(kind: type[errors.MtnasError]) -> None:
    failure = describe(kind(expected="this", found="that", where="there"), job_id="j")
    assert failure.kind is FAILURE_KINDS[kind]
    assert failure.problem["detail"] == "there: expected this, found that"


def test_only_faults_of_ours_are_worth_another_attempt() -> None:
    retried = {kind for kind in ERRORS if describe(kind(expected="", found="", where=""), job_id="j").retry}
    assert all(FAILURE_KINDS[kind] is FailureKind.LOST_WORKER for kind in retried)
    assert errors.DataError not in retried
    assert describe(KeyError("x"), job_id="j").retry
