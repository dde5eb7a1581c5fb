"""The event stream: resumable, quiet but alive, ended by the job's end."""

import threading
import time
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from mtnas.client import Client
from mtnas.sse import ServerSentEvent, read_events
from tests.api.process import serving
from tests.api.service import claimed, running, spec, store_of
from tests.store.listening import statements
from tests.waiting import wait_for


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


def test_idle_streams_are_looked_after_by_one_query(tmp_path: Path) -> None:
    with running(tmp_path, events_poll_s=0.05) as client:
        jobs = [client.post("/v1/jobs", json=spec()).json()["id"] for _ in range(5)]
        streams = [threading.Thread(target=client.get, args=(f"/v1/jobs/{job}/events",)) for job in jobs * 4]
        for stream in streams:
            stream.start()
        watch = client.app.state.watch  # type: ignore[attr-defined]
        wait_for(lambda: sum(map(len, watch._followers.values())) == len(streams))
        wait_for(lambda: len(watch._pulses) == len(jobs))
        time.sleep(0.3)  # what the first look told of is read
        before = watch.num_looks
        with statements(store_of(client)) as sent:
            wait_for(lambda: watch.num_looks >= before + 4)
        looks = [sql for sql, _ in sent if "last_event" in sql]
        assert len(looks) <= watch.num_looks - before + 1, "one for all, and none of their own"
        for job in jobs:
            client.post(f"/v1/jobs/{job}:cancel")
        for stream in streams:
            stream.join(120)
        assert not any(stream.is_alive() for stream in streams)
        assert (watch._followers, watch._pulses) == ({}, {})


def test_the_stream_of_a_job_that_is_deleted_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, events_poll_s=0.02) as client:
        job, store = client.post("/v1/jobs", json=spec()).json()["id"], store_of(client)
        told: list[ServerSentEvent] = []
        stream = threading.Thread(target=lambda: told.extend(_events(client, job)))
        stream.start()
        wait_for(lambda: client.app.state.watch._pulses)  # type: ignore[attr-defined]
        with store._database.write() as connection:  # as a deletion by somebody else, right after the job's end
            for table in ("events", "jobs"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
        stream.join(60)
    assert (told[-1].event, "deleted" in told[-1].data) == ("end", True)


def test_the_place_to_resume_from_may_be_in_the_address(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        job = client.post("/v1/jobs", json=spec()).json()["id"]
        client.post(f"/v1/jobs/{job}:cancel")
        rest = list(read_events([client.get(f"/v1/jobs/{job}/events?after=1").text]))
    assert [event.event for event in rest] == ["state", "end"]


def test_a_follower_waits_while_a_proxy_has_no_service_behind_it() -> None:
    answers = iter([502, 503, 504, 200])

    def answer(request: httpx.Request) -> httpx.Response:
        status = next(answers)
        return httpx.Response(status, text="event: end\ndata: {}\n\n" if status == 200 else "away")

    http = httpx.Client(base_url="http://service", transport=httpx.MockTransport(answer))
    assert list(Client(http=http).events("j")) == []
    assert next(answers, None) is None
