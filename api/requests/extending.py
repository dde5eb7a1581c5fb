"""Going on from a search that has ended: jobs of kind ``extend``, with more budget or with none."""

from __future__ import annotations

from api.requests.finished import ended_search, num_searched
from mtnas.errors import ConflictError
from mtnas.search.budgets.budget import StopReason
from mtnas.search.budgets.limits import BudgetSpec, extended
from mtnas.spec import JobSpec, SampledSearch
from mtnas.store import JobKind, JobRecord, JobState, Store

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
        ConflictError: it is no search, has not ended, ended before any trial was complete, or because nothing was left
            to try.
        SpecError: no more budget than before.
    """
    job = ended_search(store, job_id)
    where = f"job {job.id}"
    stop = job.stop or {}
    if stop.get("reason") in _NOTHING_LEFT:
        raise ConflictError(expected="a search that a limit ended", found=str(stop["detail"]), where=where)
    spec = JobSpec.model_validate(job.spec)
    budget = extended(spec.budget, change, objective=spec.objectives[0].to_objective(), reached=stop.get("reason"))
    return _submit(store, job, spec, budget, idempotency_key)


def request_report(store: Store, job_id: str, *, idempotency_key: str | None) -> JobRecord:
    """Queue an extension that searches no further than the job has: its finalists are trained and reported.

    Args:
        store: where the search is.
        job_id: the search, or an extension of one, by trials.
        idempotency_key: repeating a request with the same key makes no second job.

    Raises:
        NotFoundError: no such job.
        ConflictError: it has not ended, has a report, shares weights between routes (which end with it), or has no
            complete trial of its search.
    """
    job = ended_search(store, job_id)
    spec, where = JobSpec.model_validate(job.spec), f"job {job.id}"
    if job.state is JobState.SUCCEEDED:
        raise ConflictError(expected="a job without a report", found=job.state.value, where=where)
    if not isinstance(spec.search, SampledSearch):
        raise ConflictError(expected="a search by trials (or retry it)", found=spec.search.kind, where=where)
    ended = num_searched(store, job.id)
    if not ended:
        raise ConflictError(expected="complete trials of the search (or retry it)", found="none", where=where)
    return _submit(store, job, spec, spec.budget.model_copy(update={"trials": ended}), idempotency_key)


def _submit(store: Store, job: JobRecord, spec: JobSpec, budget: BudgetSpec, idempotency_key: str | None) -> JobRecord:
    made, _ = store.jobs.submit(
        JobKind.EXTEND,
        job.name,
        spec.model_copy(update={"budget": budget}).model_dump(mode="json"),
        owner=job.owner,
        idempotency_key=idempotency_key,
        extends=job.id,
    )
    return made
