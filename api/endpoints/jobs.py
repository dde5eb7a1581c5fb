"""Jobs: submit a search, look at it, add tasks to it, delete it; what else may be asked of one is in ``verbs``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from api.dependencies import AccessParam, Identifier, LabelFilter, Limit, StoreParam
from api.requests.adding import request_tasks
from api.requests.planning import plan_search
from api.requests.reading import read_spec
from api.requests.repeating import known_job
from api.requests.schemas import AddedTasks, JobChange
from mtnas.messages import Job, JobPage, JobSummary, Plan, Report
from mtnas.spec import JobSpec
from mtnas.store import JobHead, JobKind, JobRecord, JobState, ReportRecord

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.post("", status_code=202, response_model=Job | Plan)
def submit_job(
    spec: Annotated[JobSpec, Depends(read_spec)],
    store: StoreParam,
    access: AccessParam,
    response: Response,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
    validate_only: Annotated[bool, Query(description="Only say what would be done (200).")] = False,
) -> JobRecord | Plan:
    """Submit a search. Repeating a request with the same ``Idempotency-Key`` makes no second job."""
    if not validate_only and (known := known_job(store, spec, idempotency_key)) is not None:
        response.headers["Location"] = f"/v1/jobs/{known.id}"
        return known
    plan = plan_search(spec, store=store, access=access)
    if validate_only:
        response.status_code = 200
        return plan
    # The base is read by the job itself, so it has to be of the same owner.
    base = None if spec.base is None else store.of_owner().jobs.head(spec.base.job).id
    job, _ = store.jobs.submit(JobKind.SEARCH, spec.name, plan.spec, idempotency_key=idempotency_key, extends=base)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


@router.get("")
def list_jobs(
    store: StoreParam,
    labels: LabelFilter,
    state: JobState | None = None,
    kind: JobKind | None = None,
    name: Annotated[str | None, Query(max_length=200, description="What names have to contain.")] = None,
    deleted: Annotated[bool, Query(description="Those that were deleted and can be restored.")] = False,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="``next`` of the page before.")] = None,
) -> JobPage:
    """Jobs, newest first."""
    found = store.jobs.list(
        state=state, kind=kind, name=name, labels=labels, deleted=deleted, limit=limit, before=cursor
    )
    items = tuple(JobSummary.model_validate(record) for record in found)
    return JobPage(items=items, next=found[-1].id if len(found) == limit else None)


@router.get("/{job_id}", response_model=Job)
def get_job(job_id: Identifier, store: StoreParam) -> JobRecord:
    """One job with its state, progress and specification."""
    return store.jobs.get(job_id)


def get_head(job_id: Identifier, store: StoreParam) -> JobHead:
    """One job without its specification, which may be large; for endpoints that need no more."""
    return store.jobs.head(job_id)


@router.patch("/{job_id}", response_model=Job)
def change_job(job_id: Identifier, change: JobChange, store: StoreParam) -> JobRecord:
    """Replace a job's labels or its note; what is left out stays as it is."""
    return store.jobs.annotate(job_id, labels=change.labels, note=change.note)


@router.delete("/{job_id}", status_code=204)
def delete_job(
    job_id: Identifier,
    store: StoreParam,
    purge: Annotated[bool, Query(description="At once and for good: it cannot be restored.")] = False,
) -> None:
    """Delete a job that has ended, with its trials, events, report and exports; for some days it can be restored.

    That it read test data stays noted.
    """
    if purge:
        store.jobs.delete(job_id)
    else:
        store.trash.discard(job_id)


@router.post("/{job_id}/tasks", status_code=202, response_model=Job)
def add_tasks(
    job_id: Identifier,
    added: AddedTasks,
    store: StoreParam,
    access: AccessParam,
    response: Response,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> JobRecord:
    """Add tasks to what a finished search has trained: a new search that leaves the old tasks' weights as they are."""
    job = request_tasks(store, job_id, added, access=access, idempotency_key=idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


@router.get("/{job_id}/report", response_model=Report)
def get_report(job_id: Identifier, store: StoreParam) -> ReportRecord:
    """The answer of a job: the table of routes and baselines, and the verdict."""
    return store.reports.get(job_id)
