"""Following a job: its events as they are written, without holding a thread while nothing happens."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
from fastapi.sse import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from mtnas.messages import Event
from mtnas.store import EventRecord, JobHead, Store


async def follow(
    store: Store, job_id: str, *, after: int, poll_s: float, heartbeat_s: float
) -> AsyncIterator[ServerSentEvent]:
    """Yield the job's events after a number, a comment for every stretch of silence, and ``end`` when it has ended."""
    silence_s, progress = 0.0, None
    while True:
        job, events = await run_in_threadpool(_look, store, job_id, after)
        for event in events:
            after, silence_s = event.seq, 0.0
            yield ServerSentEvent(event=event.kind, id=str(event.seq), raw_data=_json(event))
        if events:
            continue
        if job.progress and job.progress != progress:
            # Figures that the next ones replace: told as they change, never stored as events, so without a number.
            progress, silence_s = job.progress, 0.0
            yield ServerSentEvent(event="progress", raw_data=_json(_as_event(job, after)))
        if job.state.is_final:
            yield ServerSentEvent(event="end", data={"state": job.state})
            return
        if silence_s >= heartbeat_s:
            silence_s = 0.0
            yield ServerSentEvent(comment="still here")
        await anyio.sleep(poll_s)
        silence_s += poll_s


def _look(store: Store, job_id: str, after: int) -> tuple[JobHead, tuple[EventRecord, ...]]:
    # The job first: once it reads as ended, all of its events are there.
    job = store.jobs.head(job_id)
    return job, store.events.after(job_id, seq=after)


def _as_event(job: JobHead, seq: int) -> EventRecord:
    payload = {"phase": job.phase, **job.progress}
    return EventRecord(job_id=job.id, seq=seq, kind="progress", payload=payload, at=job.updated_at)


def _json(event: EventRecord) -> str:
    return Event.model_validate(event).model_dump_json()
