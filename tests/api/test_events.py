"""The event stream: resumable, quiet but alive, ended by the job's end."""

import threading
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from mtnas.sse import ServerSentEvent, read_events
from tests.api.process import serving
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


def test_silence_is_filled_with_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTNAS_EVENTS_HEARTBEAT_S", "0.1")
    with serving(tmp_path) as url, httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        job = client.post("/v1/jobs", json=spec()).json()["id"]
        with client.stream("GET", f"/v1/jobs/{job}/events") as response:
            lines = response.iter_lines()
            for _ in range(3):
                assert ": still here" in lines
            assert client.post(f"/v1/jobs/{job}:cancel").status_code == 202
            assert "event: end" in lines


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
