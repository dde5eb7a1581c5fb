"""The description of the API: stable names, valid examples, problem documents everywhere."""

from pathlib import Path
from typing import Any

from api.requests.request_examples import JOB_SPECS
from mtnas.spec import JobSpec
from tests.api.service import running

OPERATIONS = {
    "cancel_job": "POST /v1/jobs/{job_id}:cancel",
    "change_job": "PATCH /v1/jobs/{job_id}",
    "delete_job": "DELETE /v1/jobs/{job_id}",
    "delete_dataset": "DELETE /v1/datasets/{name}",
    "discard_upload": "DELETE /v1/uploads/{sha256}",
    "download_export": "GET /v1/exports/{export_id}/download",
    "extend_job": "POST /v1/jobs/{job_id}:extend",
    "add_tasks": "POST /v1/jobs/{job_id}/tasks",
    "get_dataset": "GET /v1/datasets/{name}",
    "get_export": "GET /v1/exports/{export_id}",
    "get_front": "GET /v1/jobs/{job_id}/front",
    "get_health": "GET /healthz",
    "get_job": "GET /v1/jobs/{job_id}",
    "get_metrics": "GET /metrics",
    "get_readiness": "GET /readyz",
    "get_report": "GET /v1/jobs/{job_id}/report",
    "get_route": "GET /v1/routes/{route_id}",
    "get_system": "GET /v1/system",
    "get_upload": "GET /v1/uploads/{sha256}",
    "list_audit": "GET /v1/audit",
    "list_datasets": "GET /v1/datasets",
    "list_exports": "GET /v1/routes/{route_id}/exports",
    "list_job_routes": "GET /v1/jobs/{job_id}/routes",
    "list_jobs": "GET /v1/jobs",
    "list_routes": "GET /v1/routes",
    "list_search_spaces": "GET /v1/search-spaces",
    "list_trials": "GET /v1/jobs/{job_id}/trials",
    "pause_job": "POST /v1/jobs/{job_id}:pause",
    "register_dataset": "POST /v1/datasets",
    "report_job": "POST /v1/jobs/{job_id}:report",
    "restore_job": "POST /v1/jobs/{job_id}:restore",
    "resume_job": "POST /v1/jobs/{job_id}:resume",
    "retry_job": "POST /v1/jobs/{job_id}:retry",
    "send_upload": "PUT /v1/uploads/{sha256}",
    "stream_events": "GET /v1/jobs/{job_id}/events",
    "submit_export": "POST /v1/routes/{route_id}/exports",
    "submit_job": "POST /v1/jobs",
}


def _operations(folder: Path) -> dict[str, dict[str, Any]]:
    with running(folder) as client:
        paths = client.get("/openapi.json").json()["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_operation_ids_are_the_promised_ones(tmp_path: Path) -> None:
    found = {operation["operationId"]: place for place, operation in _operations(tmp_path).items()}
    assert found == OPERATIONS


def test_every_operation_is_described_and_answers_problems_as_such(tmp_path: Path) -> None:
    for place, operation in _operations(tmp_path).items():
        assert operation.get("description"), place
        assert list(operation["responses"]["4XX"]["content"]) == ["application/problem+json"], place


def test_the_examples_are_valid_specifications() -> None:
    for example in JOB_SPECS.values():
        JobSpec.model_validate(example["value"])


def test_the_example_of_a_catalogue_set_can_be_planned(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        response = client.post("/v1/jobs?validate_only=true", json=JOB_SPECS["catalogue"]["value"])
    assert response.status_code == 200, response.text
    assert response.json()["route_cost"]["num_params"] > 0
