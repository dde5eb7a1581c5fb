"""Extending a finished search: a job of kind ``extend`` that goes on from its trials with more budget."""

from __future__ import annotations

from api.requests.finished import finished_search
from mtnas.errors import ConflictError
from mtnas.search.budgets.budget import StopReason
from mtnas.search.budgets.limits import BudgetSpec, extended
from mtnas.spec import JobSpec
from mtnas.store import JobKind, JobRecord, Store

_NOTHING_LEFT = (StopReason.EXHAUSTED, StopReason.COMPLETED)


def request_extension(store: Store, job_id: str, change: BudgetSpec, *, idempotency_key: str | None) -> JobRecord:
    """Queue the job. Its specification is the search's with the new budget.

    Args:
        store: where the search is.
        job_id: the search, or an extension of one.
        change: the limits to set; others stay as they were.
        idempotency_key: repeating a request with the same key makes no second job.

    Raises:
        NotFoundError: no such job.
        ConflictError: it is no search, has not succeeded, or ended because nothing was left to try.
        SpecError: no more budget than before.
    """
    job = finished_search(store, job_id)
    where = f"job {job.id}"
    stop = job.stop or {}
    if stop.get("reason") in _NOTHING_LEFT:
        raise ConflictError(expected="a search that a limit ended", found=str(stop["detail"]), where=where)
    spec = JobSpec.model_validate(job.spec)
    budget = extended(spec.budget, change, objective=spec.objectives[0].to_objective(), reached=stop.get("reason"))
    longer = spec.model_copy(update={"budget": budget})
    made, _ = store.jobs.submit(
        JobKind.EXTEND,
        job.name,
        longer.model_dump(mode="json"),
        owner=job.owner,
        idempotency_key=idempotency_key,
        extends=job.id,
    )
    return made
