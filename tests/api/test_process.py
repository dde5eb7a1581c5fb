"""The real web process: started as users start it, asked over a socket."""

import json
from collections.abc import Iterator

import pytest

from mtnas.client import Client
from mtnas.errors import NotFoundError, ServiceError, SpecError
from tests.api.process import free_port, serving
from tests.api.service import spec

_PROBE = """
import json, os, sys, threading, uvicorn
from api.app import create_app
from api.settings import Settings
app = create_app(Settings())

@app.get("/loaded")
def loaded() -> list[str]:
    return sorted(set(name.partition(".")[0] for name in sys.modules))

uvicorn.run(app, port=int(os.environ["MTNAS_PORT"]), log_level="warning")
"""
HEAVY = {"torch", "ray", "optuna", "sklearn", "pandas"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("service"), "-c", _PROBE) as url, Client(url) as client:
        yield client


def test_the_client_speaks_to_the_service(service: Client) -> None:
    job = service.submit(spec(), idempotency_key="one")
    assert service.submit(spec(), idempotency_key="one").id == job.id
    assert service.job(job.id) == job
    assert [found.id for found in service.jobs(state="queued").items] == [job.id]
    assert service.cancel(job.id).state == "cancelled"
    assert [event.payload["state"] for event in service.events(job.id)] == ["queued", "cancelled"]
    assert service.trials(job.id).items == ()
    assert service.routes(job.id).items == service.front(job.id).items == ()
    assert service.validate(spec()).space_size == "25"
    assert "mtnas" in {entry.name for entry in service.search_spaces()}


def test_problem_documents_become_the_errors_they_name(service: Client) -> None:
    with pytest.raises(NotFoundError, match="job"):
        service.job("nobody")
    with pytest.raises(SpecError, match=r"training\.epochs: expected greater than or equal to 1 or 'auto', found 0"):
        service.submit(spec(training={"epochs": 0}))
    with pytest.raises(NotFoundError):
        list(service.events("nobody"))


def test_an_unreachable_service_says_where_it_was_looked_for() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with Client(address) as client, pytest.raises(ServiceError, match=address):
        client.jobs()


def test_the_web_process_never_loads_torch_or_ray(service: Client) -> None:
    service.submit(spec())
    with pytest.raises(SpecError):
        service.submit(spec(space={"name": "nowhere"}))
    service.datasets()
    loaded = set(json.loads(service._request("GET", "/loaded").text))
    assert "api" in loaded
    assert not loaded & HEAVY
