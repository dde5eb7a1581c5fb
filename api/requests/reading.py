"""Reading a job specification from a request's body: in a thread of its own, for large ones take a while."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body
from pydantic import SkipValidation, ValidationError

from api.requests.request_examples import JOB_SPECS
from mtnas.problems import from_validation
from mtnas.spec import JobSpec

_Unread = Annotated[SkipValidation[JobSpec], Body(openapi_examples=JOB_SPECS)]
"""Described as a specification, and handed over as it came: FastAPI would validate it between two other requests."""


def read_spec(document: _Unread) -> JobSpec:
    """The specification.

    Raises:
        SpecError: what is wrong with it, or an ``ExceptionGroup`` of several such.
    """
    return validated(document)


def validated(document: Any) -> JobSpec:
    """A document as a specification; raises as ``read_spec``."""
    try:
        return JobSpec.model_validate(document)
    except ValidationError as error:
        found = from_validation(error.errors(), document)
        if len(found) == 1:
            raise found[0] from None
        raise ExceptionGroup("specification", found) from None
