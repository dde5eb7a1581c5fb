"""Querying what searches found, and exporting it."""

import hashlib
from pathlib import Path

from tests.api.found import GAINS, finish_search
from tests.api.service import running, spec, store_of


def test_routes_are_sorted_by_any_figure(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        job = client.post("/v1/jobs", json=spec()).json()["id"]
        finish_search(store_of(client))
        best = client.get(f"/v1/jobs/{job}/routes?sort=-mean_gain&limit=2").json()
        rest = client.get(f"/v1/jobs/{job}/routes?sort=-mean_gain&limit=2&cursor={best['next']}").json()
        unknown = client.get(f"/v1/jobs/{job}/routes?sort=beauty")
        forged = client.get(f"/v1/jobs/{job}/routes?cursor=o1x")
    gains = [route["values"]["mean_gain"] for route in best["items"] + rest["items"]]
    assert gains == sorted(GAINS, reverse=True)
    assert rest["next"] is None
    assert unknown.status_code == forged.status_code == 422


def test_routes_of_all_jobs_are_found_by_their_data(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        for _ in range(2):
            client.post("/v1/jobs", json=spec())
            finish_search(store_of(client))
        same = client.get(f"/v1/routes?data_digest={'d' * 64}").json()["items"]
        other = client.get(f"/v1/routes?data_digest={'e' * 64}").json()["items"]
    assert len({route["job_id"] for route in same}) == 2
    assert other == []


def test_the_front_holds_the_routes_that_no_other_beats(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        job = client.post("/v1/jobs", json=spec()).json()["id"]
        routes = finish_search(store_of(client))
        told = client.get(f"/v1/jobs/{job}/front").json()
    front = told["items"]
    assert told["reference"] == {"mean_gain": 0.0, "num_params": 99.0}
    assert (told["hypervolume"], told["of_baselines"]) == (1.5, 0.5)
    points = [(route.values["mean_gain"], -route.num_params, route.digest) for route in routes]
    unbeaten = {
        digest
        for gain, size, digest in points
        if not any(g >= gain and s >= size and (g, s) != (gain, size) for g, s, _ in points)
    }
    assert {route["digest"] for route in front} == unbeaten


def test_the_front_knows_latency_and_its_limit(tmp_path: Path) -> None:
    timed = {
        "search": {"kind": "nsga2"},
        "objectives": [{"metric": "mean_gain", "direction": "max"}, {"metric": "latency_us", "direction": "min"}],
    }
    fronts = []
    with running(tmp_path) as client:
        for most in (None, 25.0):
            job = client.post("/v1/jobs", json=spec(**timed, constraints={"max_latency_us": most})).json()["id"]
            routes = finish_search(store_of(client), latencies_us=(30.0, 10.0, 20.0))
            fronts.append([route["digest"] for route in client.get(f"/v1/jobs/{job}/front").json()["items"]])
        fastest, *_ = client.get(f"/v1/jobs/{job}/routes?sort=latency_us").json()["items"]
        plan = client.post("/v1/jobs?validate_only=true", json=spec(**timed)).json()
    assert fronts == [[routes[place].digest for place in places] for places in ([0, 2, 1], [2, 1])]
    assert fastest["digest"] == routes[1].digest
    assert any("latency_us is measured" in warning for warning in plan["warnings"])


def test_a_route_is_shown_as_json_and_as_a_drawing(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        client.post("/v1/jobs", json=spec())
        route, *_ = finish_search(store_of(client))
        shown = client.get(f"/v1/routes/{route.digest}")
        drawn = client.get(f"/v1/routes/{route.digest}?format=svg")
    assert shown.json()["text"] == route.text
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    assert drawn.text.startswith("<svg")


def test_an_export_is_downloaded_with_its_digest(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        client.post("/v1/jobs", json=spec())
        route, *_ = finish_search(store_of(client))
        export, *_ = client.get(f"/v1/routes/{route.digest}/exports").json()["items"]
        download = client.get(f"/v1/exports/{export['id']}/download")
    assert export["state"] == "ready"
    assert download.headers["content-type"] == "application/zip"
    assert download.headers["etag"] == f'"{hashlib.sha256(download.content).hexdigest()}"'


def test_any_route_can_be_exported_by_a_job_of_its_own(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        search = client.post("/v1/jobs", json=spec()).json()
        _, route, *_ = finish_search(store_of(client))
        path, key = f"/v1/routes/{route.digest}/exports", {"Idempotency-Key": "once"}
        first, second = (client.post(path, headers=key) for _ in range(2))
        export = client.get(first.headers["location"]).json()
        job = client.get(f"/v1/jobs/{export['job_id']}").json()
        early = client.get(f"/v1/exports/{export['id']}/download")
        unkeyed = client.post(path).json()
    assert first.status_code == 202
    assert first.json() == second.json() == export == unkeyed
    assert (export["state"], job["kind"], job["state"]) == ("pending", "export", "queued")
    assert job["spec"]["job"] == search["spec"]
    assert job["spec"]["route"]["text"] == route.text
    assert early.status_code == 409


def test_the_report_and_the_trials_of_a_job_are_there(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        job = client.post("/v1/jobs", json=spec()).json()["id"]
        assert client.get(f"/v1/jobs/{job}/report").status_code == 404
        finish_search(store_of(client))
        report = client.get(f"/v1/jobs/{job}/report").json()
        trials = client.get(f"/v1/jobs/{job}/trials").json()
    assert len(report["report"]["table"]) == len(GAINS)
    assert trials == {"items": [], "next": None}
