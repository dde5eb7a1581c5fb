"""Events: what happens to a job, as a stream of server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.answers.following import follow
from api.dependencies import SettingsParam, StoreParam
from api.endpoints.jobs import get_job
from mtnas.store import JobRecord

router = APIRouter(prefix="/v1/jobs", tags=["events"])


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def stream_events(
    job: Annotated[JobRecord, Depends(get_job)],
    store: StoreParam,
    settings: SettingsParam,
    last_event_id: Annotated[int, Header(ge=0, lt=2**63, description="Start after this event.")] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Events as they happen, until one named ``end``; ``Last-Event-ID`` resumes a lost stream without a gap."""
    async for event in follow(
        store,
        job.id,
        after=last_event_id,
        poll_s=settings.events_poll_s,
        heartbeat_s=settings.events_heartbeat_s,
    ):
        yield event
