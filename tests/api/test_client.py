"""The client where the wire is bad: lost connections, cut files, odd characters."""

import threading
import zipfile
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtnas.client import Client
from mtnas.errors import ExportError, ServiceError
from mtnas.messages import Event
from mtnas.sse import ServerSentEvent, read_events
from mtnas.store import Store
from tests.api.process import free_port, serving
from tests.api.service import claimed, spec


def test_a_follower_survives_a_restart_of_the_service_without_gap_or_double(tmp_path: Path) -> None:
    port, seen, resumed = free_port(), [], threading.Event()
    with Client(f"http://127.0.0.1:{port}") as client:
        with serving(tmp_path, port=port):
            job_id = client.submit(spec()).id

            def follow() -> None:
                for event in client.events(job_id):
                    seen.append(event)
                    resumed.set()

            follower = threading.Thread(target=follow)
            follower.start()
            assert resumed.wait(120)
        with Store.open(f"sqlite:///{tmp_path / 'mtnas.sqlite'}", artifacts=tmp_path / "artifacts") as store:
            holding = store.hold(claimed(store))
            for number in range(5):
                holding.event("log", {"n": number})
            with serving(tmp_path, port=port):
                holding.finish()
                follower.join(120)
    assert not follower.is_alive()
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].payload["state"] == "succeeded"
    assert all(isinstance(event, Event) for event in seen)


def test_a_data_set_is_registered_and_found_by_its_name(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port=port), Client(f"http://127.0.0.1:{port}") as client:
        made = client.register_dataset("rows", {"kind": "catalogue", "name": "planted", "options": {"rows": 400}})
        assert client.dataset("rows") == made
        assert made.name in {found.name for found in client.datasets()}
        assert made.job_id is not None
        assert client.job(made.job_id).kind == "profile"


def test_a_follower_gives_up_when_nobody_is_there() -> None:
    with Client(f"http://127.0.0.1:{free_port()}", patience_s=0.3) as client, pytest.raises(ServiceError):
        list(client.events("job"))


def _download(content: bytes, etag: str, folder: Path) -> Path:
    answer = httpx.Response(200, content=content, headers={"ETag": f'"{etag}"'})
    transport = httpx.MockTransport(lambda _: answer)
    with httpx.Client(transport=transport, base_url="http://service") as http, Client(http=http) as client:
        return client.download("export", folder)


def test_a_download_that_lost_bytes_is_not_unpacked(tmp_path: Path) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("model.py", "x = 1\n")
    with pytest.raises(ExportError, match="sha256"):
        _download(packed.getvalue(), "0" * 64, tmp_path / "module")
    assert not list((tmp_path / "module").iterdir())


@given(
    texts=st.lists(st.text(alphabet=st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))),
    cuts=st.lists(st.integers(min_value=1, max_value=7)),
)
def test_events_are_read_whatever_they_hold_and_however_the_stream_is_cut(texts: list[str], cuts: list[int]) -> None:
    events = [ServerSentEvent(event="log", data=text, id=str(n)) for n, text in enumerate(texts)]
    stream = "".join(f": silence\n\nevent: log\ndata: {event.data}\nid: {event.id}\n\n" for event in events)
    chunks = []
    for size in cuts:
        chunks.append(stream[:size])
        stream = stream[size:]
    assert list(read_events([*chunks, stream])) == events
