"""Jobs through the whole service, on Ray: one is paused while another runs, resumed, extended, deleted."""

from pathlib import Path
from typing import Any

import pytest

from examples.embedded import embedded_service
from mtnas.client import Client
from tests.lean import NO_MODELS
from tests.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SPEC: dict[str, Any] = {
    "name": "planted",
    "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"rows": 1500, "dims": 16}}},
    "tasks": [{"name": f"task_{i}", "kind": "regression", "tower": []} for i in range(2)],
    "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 3, "width": 16}},
    "search": {"kind": "evolution", "generation": 4},
    "training": {"batch_size": 128, "epochs": 2, "lr": 0.003},
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "baselines": ["shared_bottom"],
        "seeds": 1,
        "finalists": 1,
    },
    "resources": {"max_packs": 1},
    "export": {"top": 0},
}


def test_a_job_rests_while_others_run_and_its_extension_equals_a_longer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTNAS_HEARTBEAT_S", "0.5")
    with embedded_service(tmp_path / "service") as client:
        first = client.submit(SPEC | {"budget": {"trials": 8}}).id
        longer = client.submit(SPEC | {"budget": {"trials": 12}}).id
        wait_until(lambda: client.job(first), lambda job: job.state == "running" and job.phase == "search")
        client.pause(first)
        paused = wait_until(lambda: client.job(first), lambda job: job.state != "running")
        assert (paused.state, paused.worker) == ("paused", None)
        assert client.wait(longer).state == "succeeded", "the worker and its actors are free for others"
        assert client.job(first).state == "paused"
        client.resume(first)
        assert client.wait(first).state == "succeeded"
        extension = client.extend(first, {"trials": 12}).id
        ended = client.wait(extension)
        assert (ended.state, ended.extends) == ("succeeded", first)
        assert ended.stop == client.job(longer).stop
        assert _answer(client, extension) == _answer(client, longer)
        client.delete(first)
        assert client.job(extension).extends == first, "it may be restored"
        client.restore(first)
        client.delete(first, purge=True)
        assert client.job(extension).extends is None


def _answer(client: Client, job_id: str) -> object:
    trials = sorted(client.trials(job_id, limit=500).items, key=lambda trial: trial.number)
    return client.report(job_id).report["best"], [(t.number, t.route_digest, dict(t.values)) for t in trials]
