"""The job specification as a whole: parts that agree with each other."""

from __future__ import annotations

from pydantic import model_validator

from mtnas.spec.agreement import check_agreement
from mtnas.spec.job_parts import JobParts


class JobSpec(JobParts):
    """A search job: everything has a default except the data and the tasks."""

    @model_validator(mode="after")
    def _parts_agree(self) -> JobSpec:
        check_agreement(self)
        return self
