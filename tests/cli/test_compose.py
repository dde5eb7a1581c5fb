"""The compose file: well-formed, closed to the outside, and starting modules that exist."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import Settings as ApiSettings
from workers.settings import Settings as WorkerSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_only_the_api_is_published_and_only_on_loopback(compose: dict[str, Any]) -> None:
    published = {name: service.get("ports", []) for name, service in compose["services"].items()}
    assert published == {"api": ["127.0.0.1:8000:8000"], "worker": [], "postgres": []}
    assert compose["networks"]["inside"]["internal"] is True
    assert compose["services"]["worker"]["networks"] == compose["services"]["postgres"]["networks"] == ["inside"]


def test_the_api_does_not_listen_without_tokens(compose: dict[str, Any]) -> None:
    environment = compose["services"]["api"]["environment"]
    assert environment["MTNAS_HOST"] == "0.0.0.0"
    assert ":?" in environment["MTNAS_TOKEN_HASHES"]


def test_the_services_start_what_exists_with_settings_that_exist(compose: dict[str, Any]) -> None:
    for name, settings in (("api", ApiSettings), ("worker", WorkerSettings)):
        service = compose["services"][name]
        assert importlib.util.find_spec(service["command"][-1] + ".__main__") is not None
        fields = {f"MTNAS_{field.upper()}" for field in settings.model_fields}
        assert set(service["environment"]) <= fields


def test_services_wait_for_what_they_need(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in services[needed]


def test_the_image_holds_every_package(compose: dict[str, Any]) -> None:
    copied = {line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY")}
    assert {"mtnas", "search_spaces", "api", "workers"} <= copied
