"""The event stream: resumable, quiet but alive, ended by the job's end."""

import threading
from pathlib import Path

import anyio
from fastapi.testclient import TestClient

from api.following import follow
from mtnas.sse import ServerSentEvent, read_events
from mtnas.store import Store
from tests.api.service import claimed, running, spec, store_of


def _events(client: TestClient, job: str, *, after: int = 0) -> list[ServerSentEvent]:
    response = client.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(after)})
    assert response.headers["content-type"].startswith("text/event-stream")
    return list(read_events([response.text]))


def test_a_stream_tells_everything_once_in_order_and_ends_with_the_job(tmp_path: Path) -> None:
    with running(tmp_path, events_poll_s=0.01) as client:
        job = client.post("/v1/jobs", json=spec()).json()["id"]
        holding = store_of(client).hold(claimed(store_of(client)))
        worker = threading.Thread(
            target=lambda: [holding.event("log", {"n": n}) for n in range(40)] and holding.finish()
        )
        worker.start()
        events = _events(client, job)
        worker.join()
    assert events[-1].event == "end"
    assert '"succeeded"' in events[-1].data
    numbered = [event for event in events[:-1] if event.event != "progress"]
    assert [int(event.id) for event in numbered] == list(range(1, len(numbered) + 1))
    assert [event.event for event in numbered].count("log") == 40


def test_a_stream_resumes_after_the_last_event_seen(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        job = client.post("/v1/jobs", json=spec()).json()["id"]
        client.post(f"/v1/jobs/{job}:cancel")
        whole = _events(client, job)
        rest = _events(client, job, after=1)
    assert rest == whole[1:]
    assert [event.event for event in rest] == ["state", "end"]


def test_progress_is_streamed_without_being_an_event(tmp_path: Path) -> None:
    with running(tmp_path, events_poll_s=0.01) as client:
        job = client.post("/v1/jobs", json=spec()).json()["id"]
        holding = store_of(client).hold(claimed(store_of(client)))
        holding.progress({"done": 3, "total": 4})
        threading.Timer(0.3, holding.finish).start()
        progress = [event for event in _events(client, job) if event.event == "progress"]
        stored = store_of(client).events.after(job)
    assert len(progress) == 1
    assert '"done":3' in progress[0].data
    assert "progress" not in [event.kind for event in stored]


def test_silence_is_filled_with_comments(tmp_path: Path) -> None:
    async def cancelled_after_three(store: Store, job: str) -> list[str]:
        said = []
        async for event in follow(store, job, after=0, poll_s=0.01, heartbeat_s=0.02):
            said.append(event.comment or event.event or "")
            if said.count("still here") == 3:
                store.jobs.request_cancel(job)
        return said

    with running(tmp_path) as client:
        job = client.post("/v1/jobs", json=spec()).json()["id"]
        said = anyio.run(cancelled_after_three, store_of(client), job)
    assert said == ["state", "still here", "still here", "still here", "state", "end"]


def test_many_streams_hold_no_threads(tmp_path: Path) -> None:
    with running(tmp_path, events_poll_s=0.2) as client:
        job = client.post("/v1/jobs", json=spec()).json()["id"]
        # More streams than the server has threads (40): were each to keep one, the last request would wait for ever.
        streams = [threading.Thread(target=client.get, args=(f"/v1/jobs/{job}/events",)) for _ in range(60)]
        for stream in streams:
            stream.start()
        assert client.post(f"/v1/jobs/{job}:cancel").status_code == 202
        for stream in streams:
            stream.join(120)
        assert not any(stream.is_alive() for stream in streams)
