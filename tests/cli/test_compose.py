"""The compose file: well-formed, closed to the outside, starting what exists. ``tests/system`` runs its commands."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import Settings as ApiSettings
from mtnas.store import JobKind
from mtnas.store.jobs.submission import SHORT_KINDS
from workers.settings import Settings as WorkerSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_only_the_api_is_published_and_only_on_loopback(compose: dict[str, Any]) -> None:
    published = {name: service.get("ports", []) for name, service in compose["services"].items()}
    assert published == {
        "api": ["127.0.0.1:8000:8000"],
        "ray-head": [],
        "worker": [],
        "short-worker": [],
        "postgres": [],
    }
    assert compose["networks"]["inside"]["internal"] is True
    networks = {name: service["networks"] for name, service in compose["services"].items()}
    assert networks.pop("api") == ["inside", "published"]
    assert set(map(tuple, networks.values())) == {("inside",)}
    assert not [name for name, service in compose["services"].items() if "network_mode" in service]


def test_ray_asks_for_a_token_that_only_ray_has(compose: dict[str, Any]) -> None:
    services = compose["services"]
    holders = {name for name, service in services.items() if "secrets" in service}
    assert holders == {"ray-head", "worker"}
    for name in holders:
        assert services[name]["environment"]["RAY_AUTH_MODE"] == "token"
        (secret,) = services[name]["secrets"]
        assert services[name]["environment"]["RAY_AUTH_TOKEN_PATH"] == f"/run/secrets/{secret['source']}"
        assert secret["mode"] == 0o400
        assert f"--uid {secret['uid']} " in (ROOT / "Dockerfile").read_text()
    assert compose["secrets"] == {"ray_token": {"environment": "RAY_TOKEN"}}


def test_workers_can_be_scaled(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker"]
    assert not {"container_name", "hostname", "ports"} & set(worker)
    assert worker["environment"]["MTNAS_RAY_ADDRESS"] in worker["command"][-1]


def test_every_kind_of_job_has_one_lane(compose: dict[str, Any]) -> None:
    lanes = [service.get("environment", {}).get("MTNAS_KINDS", "") for service in compose["services"].values()]
    assert sorted(kind for lane in lanes for kind in lane.split(",") if kind) == sorted(JobKind)
    short = compose["services"]["short-worker"]["environment"]
    assert set(short["MTNAS_KINDS"].split(",")) == set(SHORT_KINDS)
    assert WorkerSettings(kinds=short["MTNAS_KINDS"], executor=short["MTNAS_EXECUTOR"]).kinds


def test_containers_have_no_more_rights_than_they_need(compose: dict[str, Any]) -> None:
    for name in ("api", "ray-head", "worker", "short-worker"):
        service = compose["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert "volumes" not in compose["services"]["ray-head"], "the head needs neither data nor state"


def test_the_api_does_not_listen_without_tokens(compose: dict[str, Any]) -> None:
    environment = compose["services"]["api"]["environment"]
    assert environment["MTNAS_HOST"] == "0.0.0.0"
    assert ":?" in environment["MTNAS_TOKEN_HASHES"]


def test_the_services_start_what_exists_with_settings_that_exist(compose: dict[str, Any]) -> None:
    for name, settings in (("api", ApiSettings), ("worker", WorkerSettings), ("short-worker", WorkerSettings)):
        service = compose["services"][name]
        module = service["command"][-1].split()[-1]
        assert importlib.util.find_spec(module + ".__main__") is not None
        fields = {f"MTNAS_{field.upper()}" for field in settings.model_fields}
        assert {name for name in service["environment"] if name.startswith("MTNAS_")} <= fields


def test_services_wait_for_what_they_need(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        assert "healthcheck" in service
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in services[needed]


def test_the_image_holds_every_package(compose: dict[str, Any]) -> None:
    copied = {line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY")}
    assert {"mtnas", "search_spaces", "api", "workers"} <= copied
