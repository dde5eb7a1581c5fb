"""Metrics and the log of requests: what is told is what there is."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mtnas.json_logs import JsonLines
from mtnas.store import JobKind
from tests.api.service import claimed, running, spec, store_of


def test_metrics_tell_of_queues_leases_phases_and_requests(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        store = store_of(client)
        client.post("/v1/jobs", json=spec())
        holding = store.hold(claimed(store, lease_s=40))
        holding.start_phase("search")
        holding.progress({"candidate_steps_per_s": 12.5})
        client.post("/v1/datasets", json={"name": "rows", "source": {"kind": "catalogue", "name": "planted"}})
        store.workers.beat("w", version="1", kinds=[JobKind.SEARCH], devices=["cpu"])
        client.get("/v1/nowhere")
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    job = holding.lease.job_id
    assert found["mtnas_jobs", "running"] == found["mtnas_jobs", "queued"] == 1
    assert found["mtnas_queue_depth", "profile", "short"] == 1
    assert found["mtnas_queue_depth", "search", "search"] == 0
    assert 0 <= found["mtnas_queue_oldest_seconds", "profile", "short"] < 60
    assert 0 < found["mtnas_lease_left_seconds", job] <= 40
    assert 0 <= found["mtnas_phase_seconds", job, "search"] < 60
    assert found[("mtnas_candidate_steps_per_second",)] == 12.5
    assert (found["mtnas_workers", "true"], found["mtnas_workers", "false"]) == (1, 0)
    assert found["mtnas_http_requests_total", "202", "POST"] == 2
    assert found["mtnas_http_requests_total", "404", "GET"] == 1
    assert found["mtnas_http_request_seconds_count", "GET"] == 1


def test_every_request_is_a_line_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running(tmp_path) as client, caplog.at_level(logging.INFO, "mtnas.requests"):
        told = client.get("/v1/nowhere?token=secret", headers={"X-Request-ID": "mine"})
        made = client.post("/v1/jobs", json=spec(), headers={"X-Request-ID": "not \x7f one"})
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == "mtnas.requests"]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("GET", "/v1/nowhere", 404),
        ("POST", "/v1/jobs", 202),
    ]
    assert (lines[0]["request_id"], lines[0]["actor"]) == ("mine", "local")
    assert told.headers["x-request-id"] == "mine"
    assert lines[1]["request_id"] == made.headers["x-request-id"] != "not \x7f one"
    assert all(line["ms"] >= 0 for line in lines)
