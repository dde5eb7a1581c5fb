"""Pausing, resuming and extending jobs: what each state allows, and what is said where it does not."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from mtnas.client import Client
from mtnas.errors import ConflictError, SpecError
from mtnas.store import FailureKind, Holding, JobKind
from tests.api.service import claimed, running, spec, store_of
from tests.store.values import complete, new_trial

REACHED = {"reason": "trials", "detail": "64 of 64 trials", "reproducible": True}
SAMPLED = {"search": {"kind": "random", "generation": 4}}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with running(tmp_path) as opened:
        yield opened


def _submit(client: TestClient, **changes: Any) -> str:
    job_id: str = client.post("/v1/jobs", json=spec(**changes)).json()["id"]
    return job_id


def _running(client: TestClient, **changes: Any) -> tuple[str, Holding]:
    job_id = _submit(client, **changes)
    return job_id, store_of(client).hold(claimed(store_of(client)))


def _finished(client: TestClient, stop: dict[str, Any] | None = REACHED, **changes: Any) -> str:
    job_id, holding = _running(client, **changes)
    if stop is not None:
        holding.search_ended(stop)
    holding.finish()
    return job_id


def _extend(client: TestClient, job_id: str, budget: Any, **headers: str) -> httpx.Response:
    return client.post(f"/v1/jobs/{job_id}/extend", json={"budget": budget}, headers=headers)


def _in(state: str, client: TestClient) -> str:
    """A job in that state."""
    if state == "queued":
        return _submit(client)
    job_id, holding = _running(client)
    store = store_of(client)
    endings: dict[str, Callable[[], Any]] = {
        "running": lambda: None,
        "paused": lambda: (store.jobs.request_pause(job_id), holding.release()),
        "succeeded": holding.finish,
        "failed": lambda: holding.fail(FailureKind.TIMEOUT, {"title": "late"}),
        "cancelled": holding.cancelled,
    }
    endings[state]()
    return job_id


class TestPauseAndResume:
    def test_a_paused_job_waits_until_it_is_resumed_and_goes_on(self, client: TestClient) -> None:
        store = store_of(client)
        job_id, holding = _running(client)
        asked = client.post(f"/v1/jobs/{job_id}/pause")
        assert store.leases.renew(holding.lease).pause
        holding.release()
        paused = client.get(f"/v1/jobs/{job_id}").json()
        nothing = store.leases.claim("another worker")
        resumed = client.post(f"/v1/jobs/{job_id}/resume")
        again = store.leases.claim("another worker")
        assert (asked.status_code, asked.json()["state"], asked.json()["pause_requested"]) == (202, "running", True)
        assert (paused["state"], paused["worker"], nothing) == ("paused", None, None)
        assert (resumed.status_code, resumed.json()["state"]) == (202, "queued")
        assert again is not None
        assert again.job_id == job_id

    def test_a_request_that_nobody_has_followed_is_taken_back(self, client: TestClient) -> None:
        job_id, holding = _running(client)
        client.post(f"/v1/jobs/{job_id}/pause")
        assert not client.post(f"/v1/jobs/{job_id}/resume").json()["pause_requested"]
        assert not store_of(client).leases.renew(holding.lease).pause

    def test_asking_again_changes_nothing_and_tells_nobody(self, client: TestClient) -> None:
        job_id, holding = _running(client)
        for _ in range(3):
            assert client.post(f"/v1/jobs/{job_id}/pause").status_code == 202
        holding.release()
        assert client.post(f"/v1/jobs/{job_id}/pause").json()["state"] == "paused"
        requests = [event for event in store_of(client).events.after(job_id) if event.kind == "request"]
        assert [event.payload for event in requests] == [{"pause_requested": True}]
        assert [client.post(f"/v1/jobs/{job_id}/resume").json()["state"] for _ in range(2)] == ["queued"] * 2

    def test_a_paused_job_can_be_cancelled(self, client: TestClient) -> None:
        job_id = _in("paused", client)
        assert client.post(f"/v1/jobs/{job_id}:cancel").json()["state"] == "cancelled"

    @pytest.mark.parametrize(
        ("action", "state"),
        [("pause", s) for s in ("queued", "succeeded", "failed", "cancelled")]
        + [("resume", s) for s in ("succeeded", "failed", "cancelled")]
        + [(verb, s) for verb in ("extend", "report") for s in ("queued", "running", "paused")]
        + [("retry", s) for s in ("queued", "running", "paused", "succeeded")],
    )
    def test_other_states_are_refused_and_told_which_ones_allow_it(
        self, client: TestClient, action: str, state: str
    ) -> None:
        job_id = _in(state, client)
        response = client.post(f"/v1/jobs/{job_id}:{action}", json={"budget": {"trials": 999}})
        problem = response.json()
        assert response.status_code == 409
        assert response.headers["content-type"] == "application/problem+json"
        assert (problem["type"], problem["found"]) == ("urn:mtnas:problem:conflict-error", state)
        allowed = {"pause": "running", "resume": "paused", "retry": "failed"}.get(action, "succeeded")
        assert f"a job that is {allowed}" in problem["expected"]
        assert client.get(f"/v1/jobs/{job_id}").json()["state"] == state

    @pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry", "extend", "report"])
    def test_a_job_that_is_not_there_is_a_404(self, client: TestClient, action: str) -> None:
        assert client.post(f"/v1/jobs/x:{action}", json={"budget": {}}).status_code == 404

    @pytest.mark.parametrize("action", ["pause", "resume", "extend"])
    def test_the_older_form_of_a_verb_goes_on_working(self, client: TestClient, action: str) -> None:
        assert client.post(f"/v1/jobs/x/{action}", json={"budget": {}}).json()["where"] == "job"


class TestAfterABadEnd:
    @staticmethod
    def _ended(client: TestClient, state: str, *, trials: int, **changes: Any) -> str:
        job_id, holding = _running(client, **changes)
        holding.add_trials([new_trial(number) for number in range(trials + 1)])
        holding.finish_trials([complete(number, gain=1.0) for number in range(trials)])
        if state == "failed":
            holding.fail(FailureKind.LOST_WORKER, {"title": "lost"})
        else:
            store_of(client).jobs.request_cancel(job_id)
            holding.cancelled()
        return job_id

    @pytest.mark.parametrize("state", ["failed", "cancelled"])
    def test_a_job_is_tried_again_and_keeps_its_trials(self, client: TestClient, state: str) -> None:
        job_id = self._ended(client, state, trials=2)
        again = Client(http=client).retry(job_id)
        assert (again.state, again.failure_kind) == ("queued", None)
        assert [trial["number"] for trial in client.get(f"/v1/jobs/{job_id}/trials").json()["items"]] == [0, 1]

    @pytest.mark.parametrize("state", ["failed", "cancelled"])
    def test_it_can_be_extended_within_the_budget_that_it_had(self, client: TestClient, state: str) -> None:
        job_id = self._ended(client, state, trials=2, **SAMPLED)
        longer = _extend(client, job_id, {})
        assert (longer.status_code, longer.json()["extends"]) == (202, job_id)

    @pytest.mark.parametrize("state", ["failed", "cancelled"])
    def test_what_a_search_has_found_is_reported_without_searching_on(self, client: TestClient, state: str) -> None:
        job_id = self._ended(client, state, trials=3, **SAMPLED)
        job = Client(http=client).report_found(job_id)
        assert (job.kind, job.extends) == ("extend", job_id)
        assert job.spec["budget"]["trials"] == 3

    @pytest.mark.parametrize(
        ("verb", "trials", "changes"), [("extend", 0, SAMPLED), ("report", 0, SAMPLED), ("report", 3, {})]
    )
    def test_where_there_is_nothing_to_go_on_from_trying_again_is_offered(
        self, client: TestClient, verb: str, trials: int, changes: dict[str, Any]
    ) -> None:
        job_id = self._ended(client, "failed", trials=trials, **changes)
        refused = client.post(f"/v1/jobs/{job_id}:{verb}", json={"budget": {}})
        assert refused.status_code == 409
        assert "retry it" in refused.json()["expected"]


class TestExtend:
    def test_makes_a_job_that_points_to_the_first_and_has_its_specification(self, client: TestClient) -> None:
        first = _finished(client, budget={"trials": 64, "candidate_steps": 9999}, **SAMPLED)
        response = _extend(client, first, {"trials": 100})
        job, before = response.json(), client.get(f"/v1/jobs/{first}").json()
        assert response.status_code == 202
        assert response.headers["location"] == f"/v1/jobs/{job['id']}"
        assert (job["kind"], job["state"], job["extends"], job["name"]) == ("extend", "queued", first, "small")
        assert job["spec"] == before["spec"] | {"budget": before["spec"]["budget"] | {"trials": 100}}
        assert before["stop"] == REACHED
        assert job["stop"] is None

    def test_an_extension_can_be_extended(self, client: TestClient) -> None:
        first = _finished(client, **SAMPLED)
        second = _extend(client, first, {"trials": 100}).json()["id"]
        holding = store_of(client).hold(claimed(store_of(client)))
        holding.search_ended(REACHED)
        holding.finish()
        third = _extend(client, second, {"trials": 101}).json()
        assert (third["extends"], third["spec"]["budget"]["trials"]) == (second, 101)

    def test_repeating_it_with_its_key_makes_no_second_job(self, client: TestClient) -> None:
        first = _finished(client, **SAMPLED)
        once, twice = (_extend(client, first, {"trials": 100}, **{"Idempotency-Key": "k"}) for _ in range(2))
        other = _extend(client, first, {"trials": 101}, **{"Idempotency-Key": "k"})
        assert once.json()["id"] == twice.json()["id"]
        assert other.status_code == 422
        assert len(client.get("/v1/jobs?kind=extend").json()["items"]) == 1

    @pytest.mark.parametrize(
        ("budget", "where"),
        [
            ({}, "budget.trials"),
            ({"trials": 64}, "budget.trials"),
            ({"trials": 3}, "budget.trials"),
            ({"patience": 3}, "budget.trials"),
            ({"trials": 0}, "budget.trials"),
            ({"trials": None}, "budget.trials"),
            ({"trials": 1e400}, "budget.trials"),
            ({"trial": 100}, "budget.trial"),
            ({"trials": 100, "deadline_s": -1}, "budget.deadline_s"),
            ([], "budget"),
            (None, "budget"),
        ],
    )
    def test_no_more_budget_is_refused_with_its_place(self, client: TestClient, budget: Any, where: str) -> None:
        first = _finished(client, **SAMPLED)
        content = f'{{"budget": {_json(budget)}}}'
        response = client.post(
            f"/v1/jobs/{first}/extend", content=content, headers={"Content-Type": "application/json"}
        )
        assert (response.status_code, response.json()["where"]) == (422, where)
        assert client.get("/v1/jobs?kind=extend").json()["items"] == []

    @pytest.mark.parametrize("reason", ["exhausted", "completed"])
    def test_a_search_that_no_limit_ended_has_nothing_left(self, client: TestClient, reason: str) -> None:
        first = _finished(client, {**REACHED, "reason": reason}, **SAMPLED)
        response = _extend(client, first, {"trials": 100})
        assert response.status_code == 409
        assert "a search that a limit ended" in response.json()["expected"]

    def test_only_searches_can_be_extended(self, client: TestClient) -> None:
        store = store_of(client)
        job, _ = store.jobs.submit(JobKind.PROFILE, "data", {})
        store.hold(claimed(store)).finish()
        assert _extend(client, job.id, {"trials": 100}).json()["found"] == "profile"


def test_the_client_speaks_of_all_three(client: TestClient) -> None:
    ours = Client(http=client)  # a TestClient is an httpx client
    job_id, holding = _running(client, **SAMPLED)
    assert ours.pause(job_id).pause_requested
    holding.release()
    assert ours.resume(job_id).state == "queued"
    with pytest.raises(ConflictError):
        ours.pause(job_id)
    again = store_of(client).hold(claimed(store_of(client)))
    again.search_ended(REACHED)
    again.finish()
    stop = ours.job(job_id).stop
    assert stop == REACHED
    with pytest.raises(SpecError, match=r"budget\.trials"):
        ours.extend(job_id, {"trials": 64})
    longer = ours.extend(job_id, {"trials": 65})
    assert (longer.kind, longer.extends) == ("extend", job_id)


def _json(value: Any) -> str:
    return json.dumps(value).replace("Infinity", "1e400")


def test_an_ended_job_is_deleted_and_others_are_not(client: TestClient) -> None:
    done, waiting = _finished(client), _submit(client)
    ours = Client(http=client)
    ours.delete(done)
    assert client.get(f"/v1/jobs/{done}").status_code == 404
    assert client.delete(f"/v1/jobs/{done}").status_code == 404
    refused = client.delete(f"/v1/jobs/{waiting}")
    assert (refused.status_code, refused.json()["found"]) == (409, "queued")
    assert [job.id for job in ours.jobs().items] == [waiting]
