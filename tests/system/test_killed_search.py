"""A search job through the whole service, its worker killed in the middle: the job ends as if nothing had happened."""

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from examples.embedded import embedded_service
from mtnas.client import Client
from mtnas.messages import Trial
from tests.lean import NO_MODELS
from tests.waiting import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SPEC: dict[str, Any] = {
    "name": "planted",
    "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"rows": 1500, "dims": 16}}},
    "tasks": [{"name": f"task_{i}", "kind": "regression", "tower": []} for i in range(4)],
    "space": {"options": {"layers": 2, "subnets": 2, "width": 8}},
    "training": {"epochs": 4, "batch_size": 64, "lr": 0.004},
    "protocol": {"level": "quick", **NO_MODELS, "seeds": 1, "finalists": 1},
    "resources": {"pack_size": 1, "max_packs": 1},
}


def test_a_killed_worker_loses_no_trial_and_changes_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LEASE_S", "4"), ("HEARTBEAT_S", "1"), ("REAP_S", "1"), ("POLL_S", "0.2")):
        monkeypatch.setenv(f"MTNAS_{name}", value)
    with embedded_service(tmp_path / "service") as client:
        undisturbed = client.submit(SPEC).id
        assert client.wait(undisturbed).state == "succeeded"

        killed = client.submit(SPEC).id
        wait_for(lambda: len(_finished(client, killed)) >= 2)
        before = _finished(client, killed)
        os.kill(_worker(tmp_path / "service"), signal.SIGKILL)
        job = client.wait(killed)

        assert (job.state, job.attempt) == ("succeeded", 2)
        trials = _finished(client, killed)
        assert [trial.number for trial in trials] == list(range(len(trials)))
        assert [_essence(trial) for trial in trials] == [_essence(trial) for trial in _finished(client, undisturbed)]
        kept = {trial.number: trial.finished_at for trial in trials}
        assert all(kept[trial.number] == trial.finished_at for trial in before)
        reports = [client.report(job_id).report for job_id in (undisturbed, killed)]
        assert reports[0]["best"] == reports[1]["best"]
        assert {place["actor"] for place in reports[1]["places"]} - {None}
        (export,) = [e for e in client.exports(reports[1]["best"]["route_digest"]).items if e.job_id == killed]
        assert (client.download(export.id, tmp_path / "module") / "model.py").is_file()


def _finished(client: Client, job_id: str) -> list[Trial]:
    page = client.trials(job_id, limit=500)
    return sorted((trial for trial in page.items if trial.state == "complete"), key=lambda trial: trial.number)


def _essence(trial: Trial) -> tuple[object, ...]:
    """What must not depend on who ran the trial, when and where."""
    return trial.number, trial.phase, trial.label, trial.route_digest, dict(trial.values)


def _worker(home: Path) -> int:
    log = (home / "logs" / "worker.log").read_text()
    return int(re.findall(r'"event": "worker ready".*?"worker": "[^"]*/(\d+)"', log)[-1])
