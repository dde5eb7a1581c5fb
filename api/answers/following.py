"""Following a job: its events as they are written, without a query or a thread while nothing happens."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi.sse import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.answers.watching import Watch
from mtnas.errors import NotFoundError
from mtnas.messages import Event
from mtnas.store import EventRecord, JobHead, Store


async def follow(
    store: Store, watch: Watch, job_id: str, *, after: int, heartbeat_s: float
) -> AsyncIterator[ServerSentEvent]:
    """Yield the job's events after a number, a comment for every stretch of silence, and ``end`` when it has ended.

    Events that are there already come in pages, so that a stream holds no more than one. A job that is deleted
    meanwhile ends its streams with the state ``deleted``.
    """
    progress = None
    with watch.following(job_id) as news:
        while True:
            news.read()
            try:
                job, events = await run_in_threadpool(_look, store, job_id, after)
            except NotFoundError:
                yield ServerSentEvent(event="end", data={"state": "deleted"})
                return
            for event in events:
                after = event.seq
                yield ServerSentEvent(event=event.kind, id=str(event.seq), raw_data=_json(event))
            if events:
                continue
            if job.progress and job.progress != progress:
                # Figures that the next ones replace: told as they change, never stored as events, so without a number.
                progress = job.progress
                yield ServerSentEvent(event="progress", raw_data=_json(_as_event(job, after)))
            if job.state.is_final:
                yield ServerSentEvent(event="end", data={"state": job.state})
                return
            while not await news.wait(heartbeat_s):
                yield ServerSentEvent(comment="still here")


def _look(store: Store, job_id: str, after: int) -> tuple[JobHead, tuple[EventRecord, ...]]:
    # The job first: once it reads as ended, all of its events are there.
    job = store.jobs.head(job_id)
    return job, store.events.after(job_id, seq=after)


def _as_event(job: JobHead, seq: int) -> EventRecord:
    payload = {"phase": job.phase, **job.progress}
    return EventRecord(job_id=job.id, seq=seq, kind="progress", payload=payload, at=job.updated_at)


def _json(event: EventRecord) -> str:
    return Event.model_validate(event).model_dump_json()
