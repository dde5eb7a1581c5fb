"""The commands against a real service: what they print, how they end."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtnas.client import Client
from mtnas.store import Store
from tests.api.found import finish_search
from tests.api.process import free_port, serving
from tests.api.service import claimed, spec


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with serving(home) as address:
        yield address


@pytest.fixture
def store(home: Path, url: str) -> Iterator[Store]:
    """The service's store, as its worker would use it; whatever an earlier test left in the queue is cancelled."""
    with Store.open(f"sqlite:///{home / 'mtnas.sqlite'}", artifacts=home / "artifacts") as opened:
        for job in opened.jobs.list(limit=500):
            if not job.state.is_final:
                opened.jobs.request_cancel(job.id)
        yield opened


def mtnas(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"MTNAS_URL": url, "COLUMNS": "250"}
    command = [sys.executable, "-m", "mtnas.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


def _file(folder: Path, document: Any, *, name: str = "job.yaml") -> str:
    path = folder / name
    path.write_text(json.dumps(document) if name.endswith("json") else yaml.safe_dump(document))
    return str(path)


@pytest.mark.parametrize("name", ["job.yaml", "job.json"])
def test_a_file_is_submitted_shown_listed_and_cancelled(tmp_path: Path, url: str, store: Store, name: str) -> None:
    submitted = mtnas("submit", _file(tmp_path, spec(name="from a file"), name=name), url=url)
    job_id = submitted.stdout.split()[-1]
    assert submitted.returncode == 0
    assert store.jobs.get(job_id).name == "from a file"
    assert "queued" in mtnas("show", job_id, url=url).stdout
    assert job_id in mtnas("jobs", url=url).stdout
    assert "cancelled" in mtnas("cancel", job_id, url=url).stdout
    assert "queued" in mtnas("retry", job_id, url=url).stdout
    assert "cancelled" in mtnas("cancel", job_id, url=url).stdout


def test_a_job_rests_goes_on_and_is_extended(url: str, store: Store) -> None:
    with Client(url) as client:
        job_id = client.submit(spec(name="resting", search={"kind": "random"})).id
    holding = store.hold(claimed(store))
    paused = mtnas("pause", job_id, url=url)
    holding.release()
    resumed = mtnas("resume", job_id, url=url)
    holding = store.hold(claimed(store))
    holding.search_ended({"reason": "trials", "detail": "64 of 64 trials", "reproducible": True})
    holding.finish()
    shown = mtnas("show", job_id, url=url)
    less = mtnas("extend", job_id, "-b", "trials=64", url=url)
    longer = mtnas("extend", job_id, "-b", "trials=100", "-b", "patience=null", url=url)
    assert [said.stdout.split()[-1] for said in (paused, resumed)] == ["pausing", "queued"]
    assert "ended by trials: 64 of 64 trials" in shown.stdout
    assert (less.returncode, "budget.trials: expected more than 64" in less.stderr) == (2, True)
    extension = store.jobs.get(longer.stdout.split()[-1])
    assert (extension.extends, extension.spec["budget"]["trials"]) == (job_id, 100)
    assert "expected name=value" in mtnas("extend", job_id, "-b", "trials", url=url).stderr


def test_tasks_are_added_to_a_job_that_has_succeeded(tmp_path: Path, url: str) -> None:
    with Client(url) as client:
        job_id = client.submit(spec(name="not yet")).id
    added = _file(tmp_path, {"tasks": [{"name": "c", "kind": "binary", "label": "task_2"}]}, name="added.yaml")
    said = mtnas("add-tasks", job_id, added, url=url)
    assert (said.returncode, "expected a job that is succeeded" in said.stderr) == (2, True)


def test_the_command_line_tells_problems_in_the_words_of_the_api(tmp_path: Path, url: str) -> None:
    bad = {
        "a wrong value": spec(training={"epochs": 0}),
        "an unknown space": spec(space={"name": "nowhere"}),
        "an impossible constraint": spec(constraints={"max_params": 1}),
        "an unknown column": spec(tasks=[{"name": "kissed", "kind": "binary"}]),
        "a file outside the roots": spec(data={"source": {"kind": "file", "paths": ["/etc/passwd"]}}),
    }
    with Client(url) as client:
        for what, document in bad.items():
            said = mtnas("submit", _file(tmp_path, document), url=url)
            detail = client._http.post("/v1/jobs", json=document).json()["detail"]
            assert (what, said.returncode, said.stderr) == (what, 2, f"mtnas: {detail}\n")


def test_all_problems_are_told_at_once(tmp_path: Path, url: str) -> None:
    said = mtnas("validate", _file(tmp_path, spec(seed=-1, training={"epochs": 0})), url=url)
    assert "training.epochs" in said.stderr
    assert "seed" in said.stderr


@pytest.mark.parametrize(
    ("content", "words"), [("[1, 2]", "a mapping"), ("{a: [}", "YAML or JSON"), (None, "a readable file")]
)
def test_what_is_no_specification_is_said_before_anything_is_sent(
    tmp_path: Path, content: str | None, words: str
) -> None:
    path = tmp_path / "job.yaml"
    if content is not None:
        path.write_text(content)
    said = mtnas("submit", str(path), url=f"http://127.0.0.1:{free_port()}")
    assert said.returncode == 2
    assert f"expected {words}" in said.stderr


def test_a_service_that_is_not_there_is_no_stack_trace() -> None:
    said = mtnas("jobs", url=f"http://127.0.0.1:{free_port()}")
    assert said.returncode == 2
    assert "expected a running service (mtnas serve)" in said.stderr
    assert "Traceback" not in said.stderr


def test_validate_says_what_would_be_done(tmp_path: Path, url: str) -> None:
    said = mtnas("validate", _file(tmp_path, spec()), url=url)
    assert said.returncode == 0
    assert "routes in the space: 25" in said.stdout
    assert "warning: " in said.stdout


def test_watching_shows_phases_and_ends_with_the_job(tmp_path: Path, url: str, store: Store) -> None:
    def work() -> None:
        while store.jobs.list(limit=1)[0].state != "queued":
            time.sleep(0.05)
        holding = store.hold(claimed(store))
        holding.start_phase("prepare")
        holding.progress({"packs": 4, "packs_done": 1, "share": 0.25, "seconds_left": 30})
        time.sleep(0.3)
        holding.fail("data_error", {"detail": "column 'age', row 3: expected a number, found 'x'"})

    worker = threading.Thread(target=work)
    worker.start()
    said = mtnas("submit", "--watch", _file(tmp_path, spec(name="watched")), url=url)
    worker.join()
    assert said.returncode == 1
    assert "phase prepare" in said.stdout
    assert "data_error: column 'age', row 3: expected a number, found 'x'" in said.stdout


def test_routes_are_listed_and_exported_by_the_beginning_of_their_digest(
    tmp_path: Path, url: str, store: Store
) -> None:
    with Client(url) as client:
        job_id = client.submit(spec(name="found")).id
    best, *others = finish_search(store)
    listed = mtnas("routes", job_id, "--sort", "-mean_gain", url=url)
    exported = mtnas("export", best.digest[:20], "-o", str(tmp_path / "module"), url=url)
    unknown = mtnas("export", "zzz", "-o", str(tmp_path / "module"), url=url)
    compared = mtnas("compare", best.digest[:20], others[0].digest, "--job", job_id, url=url)
    alone = mtnas("compare", best.digest, url=url)
    assert best.digest[:16] in compared.stdout.splitlines()[0]
    assert any(line.startswith("mean_gain") for line in compared.stdout.splitlines())
    assert (alone.returncode, "expected two routes or more, found 1" in alone.stderr) == (2, True)
    assert [line.count(best.digest[:16]) for line in listed.stdout.splitlines() if "finalist" in line] == [1, 0, 0]
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "module" / "model.py").read_text() == "answer = 42\n"
    assert others
    assert unknown.returncode == 2


def test_what_is_shown_is_also_one_json_document(tmp_path: Path, url: str, store: Store) -> None:
    job = _json(mtnas("submit", _file(tmp_path, spec(name="machine")), "--json", url=url))
    assert store.jobs.get(job["id"]).name == "machine"
    assert _json(mtnas("show", job["id"], "--json", url=url))["id"] == job["id"]
    assert job["id"] in [one["id"] for one in _json(mtnas("jobs", "--json", url=url))["items"]]
    assert _json(mtnas("validate", _file(tmp_path, spec()), "--json", url=url))["space_size"] == "25"
    assert _json(mtnas("cancel", job["id"], "--json", url=url))["state"] == "cancelled"
    assert "mtnas" in [one["name"] for one in _json(mtnas("spaces", "--json", url=url))["items"]]
    assert "planted" in [one["name"] for one in _json(mtnas("data", "list", "--json", url=url))["items"]]


def test_tables_in_a_pipe_are_whole_and_plain(url: str) -> None:
    for command in (("jobs",), ("spaces",), ("data", "list"), ("config", "show")):
        lines = mtnas(*command, url=url).stdout.splitlines()
        assert len(lines) > 1, command
        assert not set("".join(lines)) & set("│┃━─…"), command
    spaces = mtnas("spaces", url=url).stdout
    assert len(spaces.splitlines()) == 1 + len(_json(mtnas("spaces", "--json", url=url))["items"])


def test_a_file_on_this_machine_is_profiled_without_a_service(tmp_path: Path) -> None:
    rows = [f"{20 + n % 30},{'ab'[n % 2]},u{n},{n % 2}" for n in range(90)]
    (tmp_path / "visits.csv").write_text("\n".join(["age,city,id,buy", *rows]))
    nowhere = f"http://127.0.0.1:{free_port()}"
    text = mtnas("data", "profile", str(tmp_path / "visits.csv"), url=nowhere).stdout
    document = _json(mtnas("data", "profile", str(tmp_path / "visits.csv"), "--json", url=nowhere))
    shown = {line.split()[0]: line for line in text.splitlines()[2:]}
    assert text.startswith("90 rows")
    assert "left out: " in shown["id"]
    assert (shown["age"].split()[1:3], document["inferred"]["age"]) == (["integer", "numeric"], "numeric")


def test_settings_are_shown_with_what_set_them_but_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTNAS_DATABASE_URL", "postgresql://mtnas:secret@db/mtnas")
    monkeypatch.setenv("MTNAS_PORT", "8123")
    said = mtnas("config", "show", "--json", url="")
    found = {row["variable"]: row for rows in _json(said).values() for row in rows}
    assert (found["MTNAS_PORT"]["value"], found["MTNAS_PORT"]["is_set"]) == ("8123", True)
    assert (found["MTNAS_LEASE_S"]["is_set"], found["MTNAS_LEASE_S"]["what"] != "") == (False, True)
    assert "secret" not in said.stdout
    monkeypatch.setenv("MTNAS_PORT", "many")
    wrong = mtnas("config", "show", url="")
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (2, False)


def _json(said: subprocess.CompletedProcess[str]) -> Any:
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_the_command_line_starts_without_torch() -> None:
    program = "import mtnas.cli, sys; print(sorted({'torch', 'ray', 'fastapi', 'sqlalchemy'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
