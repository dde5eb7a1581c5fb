"""Trials: every candidate that a job ran, and where."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import Identifier, Limit, Offset, StoreParam, next_offset
from mtnas.messages import Trial, TrialPage
from mtnas.trials import TrialState

router = APIRouter(prefix="/v1/jobs", tags=["trials"])


@router.get("/{job_id}/trials")
def list_trials(
    job_id: Identifier,
    store: StoreParam,
    offset: Offset,
    phase: str | None = None,
    state: TrialState | None = None,
    sort: str = "number",
    limit: Limit = 100,
) -> TrialPage:
    """Trials of a job, sorted by number or by a figure (``-`` before its name: largest first)."""
    store.jobs.get(job_id)
    found = store.trials.list(job_id, phase=phase, state=state, sort=sort, limit=limit, offset=offset)
    items = tuple(Trial.model_validate(record) for record in found)
    return TrialPage(items=items, next=next_offset(len(found), limit=limit, offset=offset))
