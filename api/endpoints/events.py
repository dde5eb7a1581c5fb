"""Events: what happens to a job, as a stream of server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.answers.following import follow
from api.dependencies import SettingsParam, StoreParam, WatchParam
from api.endpoints.jobs import get_head
from mtnas.store import JobHead

router = APIRouter(prefix="/v1/jobs", tags=["events"])


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def stream_events(
    job: Annotated[JobHead, Depends(get_head)],
    store: StoreParam,
    settings: SettingsParam,
    watch: WatchParam,
    last_event_id: Annotated[int, Header(ge=0, lt=2**63, description="Start after this event.")] = 0,
    after: Annotated[int, Query(ge=0, lt=2**63, description="The same, for whoever cannot set headers.")] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Events as they happen, until one named ``end``; ``Last-Event-ID`` resumes a lost stream without a gap."""
    async for event in follow(
        store, watch, job.id, after=max(after, last_event_id), heartbeat_s=settings.events_heartbeat_s
    ):
        yield event
