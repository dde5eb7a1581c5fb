"""Verbs: what may be asked of a job. One form for all, ``POST /v1/jobs/{job_id}:verb``; older forms go on working."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from api.dependencies import Identifier, StoreParam
from api.requests.extending import request_extension, request_report
from api.requests.schemas import Extension
from mtnas.messages import Job
from mtnas.store import JobRecord

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
Key = Annotated[str | None, Header(min_length=1, max_length=200)]


@router.post("/{job_id}:cancel", status_code=202, response_model=Job)
def cancel_job(job_id: Identifier, store: StoreParam) -> JobRecord:
    """Ask for a job to stop: at once where nobody works on it, else with its worker's next heartbeat."""
    return store.jobs.request_cancel(job_id)


@router.post("/{job_id}/pause", status_code=202, response_model=Job, include_in_schema=False)
@router.post("/{job_id}:pause", status_code=202, response_model=Job)
def pause_job(job_id: Identifier, store: StoreParam) -> JobRecord:
    """Ask a running job to give its worker back with the next heartbeat. What is finished stays; it can be resumed."""
    return store.jobs.request_pause(job_id)


@router.post("/{job_id}/resume", status_code=202, response_model=Job, include_in_schema=False)
@router.post("/{job_id}:resume", status_code=202, response_model=Job)
def resume_job(job_id: Identifier, store: StoreParam) -> JobRecord:
    """Queue a paused job again; it goes on where it was."""
    return store.jobs.resume(job_id)


@router.post("/{job_id}:retry", status_code=202, response_model=Job)
def retry_job(job_id: Identifier, store: StoreParam) -> JobRecord:
    """Queue a failed or cancelled job again. What it has finished stays, and it goes on from there."""
    return store.jobs.retry(job_id)


@router.post("/{job_id}:restore", status_code=202, response_model=Job)
def restore_job(job_id: Identifier, store: StoreParam) -> JobRecord:
    """Bring a deleted job back, as long as it was not purged."""
    return store.trash.restore(job_id)


@router.post("/{job_id}/extend", status_code=202, response_model=Job, include_in_schema=False)
@router.post("/{job_id}:extend", status_code=202, response_model=Job)
def extend_job(
    job_id: Identifier, extension: Extension, store: StoreParam, response: Response, idempotency_key: Key = None
) -> JobRecord:
    """Go on with a search that has ended, however it did: a new job that begins with its trials, with other limits."""
    return _located(request_extension(store, job_id, extension.budget, idempotency_key=idempotency_key), response)


@router.post("/{job_id}:report", status_code=202, response_model=Job)
def report_job(job_id: Identifier, store: StoreParam, response: Response, idempotency_key: Key = None) -> JobRecord:
    """Report on what a failed or cancelled search has found: a new job that searches no further."""
    return _located(request_report(store, job_id, idempotency_key=idempotency_key), response)


def _located(job: JobRecord, response: Response) -> JobRecord:
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job
