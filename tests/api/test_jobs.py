"""Submitting, listing and cancelling jobs."""

from pathlib import Path

from mtnas.spec import JobSpec
from tests.api.service import claimed, running, spec, store_of


def test_a_submitted_job_is_queued_and_found_where_the_answer_says(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        response = client.post("/v1/jobs", json=spec())
        job = client.get(response.headers["location"]).json()
    assert response.status_code == 202
    assert job == response.json()
    assert (job["state"], job["kind"], job["name"]) == ("queued", "search", "small")


def test_the_stored_spec_is_valid_and_holds_the_whole_space(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        stored = client.post("/v1/jobs", json=spec()).json()["spec"]
        again = client.post("/v1/jobs", json=stored).json()["spec"]
    assert JobSpec.model_validate(stored).space.graph is not None
    assert [tower["task"] for tower in stored["space"]["graph"]["towers"]] == ["a", "b"]
    assert again == stored


def test_a_repeated_request_makes_no_second_job(tmp_path: Path) -> None:
    key = {"Idempotency-Key": "once"}
    with running(tmp_path) as client:
        first, second = (client.post("/v1/jobs", json=spec(), headers=key) for _ in range(2))
        other = client.post("/v1/jobs", json=spec(name="other"), headers=key)
        assert len(client.get("/v1/jobs").json()["items"]) == 1
    assert first.json() == second.json()
    assert second.status_code == 202
    assert other.status_code == 422


def test_a_repeated_request_is_answered_when_its_file_has_gone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "rows.csv"
    file.write_text("a,b\n1,0\n")
    whole = spec(data={"source": {"kind": "file", "paths": ["rows.csv"]}})
    key = {"Idempotency-Key": "once"}
    with running(tmp_path) as client:
        first = client.post("/v1/jobs", json=whole, headers=key)
        file.unlink()
        again = client.post("/v1/jobs", json=whole, headers=key)
        others = [
            client.post("/v1/jobs", json=whole | change, headers=key)
            for change in ({"seed": 1}, {"constraints": {"max_params": 100_000}}, {"space": {"name": "shared_bottom"}})
        ]
    assert (first.status_code, again.status_code) == (202, 202)
    assert [other.status_code for other in others] == [422, 422, 422]
    assert again.json()["id"] == first.json()["id"]


def test_validate_only_says_what_would_be_done_and_makes_no_job(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        response = client.post("/v1/jobs?validate_only=true", json=spec())
        assert client.get("/v1/jobs").json()["items"] == []
    assert response.status_code == 200
    # One layer of two sub-networks: each of the two towers takes one of them, or both under one of three queries.
    assert response.json()["space_size"] == str((2 + 3) ** 2)


def test_the_largest_space_is_planned(tmp_path: Path) -> None:
    tasks = [{"name": f"t{n}", "kind": "regression", "label": f"task_{n}"} for n in range(256)]
    data = {"source": {"kind": "catalogue", "name": "planted", "options": {"num_tasks": 256, "dims": 300}}}
    largest = spec(space={"name": "mtnas", "options": {"layers": 8, "subnets": 32}}, tasks=tasks, data=data)
    with running(tmp_path) as client:
        response = client.post("/v1/jobs?validate_only=true", json=largest)
    assert response.status_code == 200
    assert "e+" in response.json()["space_size"]


def test_what_cannot_work_is_refused_before_a_job_is_made(tmp_path: Path) -> None:
    cases = {
        "space.name": {"space": {"name": "nowhere"}},
        "space.options": {"space": {"name": "mtnas", "options": {"depth": 3}}},
        "space.options.layers": {"space": {"name": "mtnas", "options": {"layers": 0}}},
        "constraints.max_params": {"constraints": {"max_params": 1}},
        "constraints.max_macs": {"constraints": {"max_macs": 1}},
    }
    with running(tmp_path) as client:
        for where, changes in cases.items():
            response = client.post("/v1/jobs", json=spec(**changes))
            assert (response.status_code, response.json()["where"]) == (422, where)
        assert client.get("/v1/jobs").json()["items"] == []


def test_jobs_are_listed_newest_first_page_by_page(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        ids = [client.post("/v1/jobs", json=spec()).json()["id"] for _ in range(5)]
        seen, cursor = [], None
        while True:
            page = client.get("/v1/jobs", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
            seen += [job["id"] for job in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
    assert seen == ids[::-1]


def test_jobs_are_listed_by_state(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        first, second = (client.post("/v1/jobs", json=spec()).json()["id"] for _ in range(2))
        claimed(store_of(client))
        running_jobs = client.get("/v1/jobs?state=running").json()["items"]
        queued_jobs = client.get("/v1/jobs?state=queued").json()["items"]
        assert client.get("/v1/jobs?state=asleep").status_code == 422
    assert [job["id"] for job in running_jobs] == [first]
    assert [job["id"] for job in queued_jobs] == [second]


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_is_asked(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        first, second = (client.post("/v1/jobs", json=spec()).json()["id"] for _ in range(2))
        lease = claimed(store_of(client))
        running_answer = client.post(f"/v1/jobs/{first}:cancel")
        queued_answer = client.post(f"/v1/jobs/{second}:cancel")
        assert store_of(client).leases.renew(lease).cancel
        store_of(client).hold(lease).finish()
        late = client.post(f"/v1/jobs/{first}:cancel")
    assert running_answer.status_code == queued_answer.status_code == 202
    assert running_answer.json()["cancel_requested"]
    assert queued_answer.json()["state"] == "cancelled"
    assert late.status_code in (202, 409)


def test_what_does_not_exist_is_a_404(tmp_path: Path) -> None:
    paths = ("jobs/x", "jobs/x/trials", "jobs/x/routes", "jobs/x/front", "jobs/x/report", "jobs/x/events")
    others = ("routes/x", "exports/x", "exports/x/download", "datasets/x")
    with running(tmp_path) as client:
        for path in (*paths, *others):
            response = client.get(f"/v1/{path}")
            assert (path, response.status_code) == (path, 404)
            assert response.json()["type"] == "urn:mtnas:problem:not-found-error"
        assert client.post("/v1/jobs/x:cancel").status_code == 404
        assert client.post("/v1/routes/x/exports").status_code == 404
