"""The database is copied, restored and looked at; the doctor finds what is broken."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtnas.cli import main  # noqa: F401  (declares the commands)
from mtnas.cli.app import app
from mtnas.cli.child import Child
from mtnas.errors import ConflictError, SpecError
from mtnas.places import Places
from mtnas.store import JobKind, Store, maintenance
from tests.waiting import wait_for


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(home=tmp_path / "home")


@pytest.fixture
def store(places: Places) -> Iterator[Store]:
    with Store.open(places.database, artifacts=places.artifacts) as opened:
        yield opened


def mtnas(*words: str, home: Path) -> tuple[int, str]:
    said = CliRunner().invoke(app, [*words, "--home", str(home)])
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exception
    return said.exit_code, said.output


def findings(home: Path) -> tuple[int, dict[tuple[str, str], list[str]]]:
    status, said = mtnas("doctor", "--json", home=home)
    found: dict[tuple[str, str], list[str]] = {}
    for one in json.loads(said)["findings"]:
        found.setdefault((one["of"], one["state"]), []).append(one["seen"])
    return status, found


def test_a_copy_is_made_while_others_write_and_brings_everything_back(
    places: Places, store: Store, tmp_path: Path
) -> None:
    kept, _ = store.jobs.submit(JobKind.SEARCH, "kept", {})
    copy = tmp_path / "copy.sqlite"
    assert mtnas("db", "backup", str(copy), home=places.home)[0] == 0
    lost, _ = store.jobs.submit(JobKind.SEARCH, "lost", {})
    with pytest.raises(ConflictError, match="not there yet"):
        maintenance.backup(places.database, copy)
    lease = store.leases.claim("w")
    assert lease is not None
    store.close()
    status, said = mtnas("db", "restore", str(copy), home=places.home)
    assert status == 0
    with Store.open(places.database, artifacts=places.artifacts) as again:
        assert [job.id for job in again.jobs.list()] == [kept.id]
        assert again.jobs.get(kept.id).state == "queued"
    former = places.home / "mtnas.sqlite.before-restore"
    assert str(former) in said
    with Store.open(f"sqlite:///{former}", artifacts=places.artifacts) as before:
        assert {job.id for job in before.jobs.list()} == {kept.id, lost.id}


def test_a_database_in_use_and_a_file_that_is_no_copy_are_refused(places: Places, store: Store, tmp_path: Path) -> None:
    copy, broken = tmp_path / "copy.sqlite", tmp_path / "broken.sqlite"
    maintenance.backup(places.database, copy)
    with store._database.write(), pytest.raises(ConflictError, match="a service that was ended"):
        maintenance.restore(places.database, copy)
    broken.write_bytes(copy.read_bytes()[: 4096 * 3] + b"x" * 4096)
    for source in (broken, tmp_path / "nowhere"):
        with pytest.raises(SpecError, match="a whole copy"):
            maintenance.restore(places.database, source)
    with pytest.raises(SpecError, match="pg_dump"):
        maintenance.backup("postgresql://localhost/x", tmp_path / "x")


def test_revisions_are_told_before_and_after_the_tables_are_made(places: Places) -> None:
    assert "without tables" in mtnas("db", "current", home=places.home)[1]
    assert not (places.home / "artifacts").exists()
    assert "before: none" in mtnas("db", "upgrade", home=places.home)[1]
    assert "already" in mtnas("db", "upgrade", home=places.home)[1]
    said = mtnas("db", "current", home=places.home)[1]
    assert len(set(re.findall(r"\d{4}", said))) == 1, said


def test_the_doctor_of_a_service_that_is_well_has_no_problem(places: Places, store: Store) -> None:
    store.workers.beat("w", version="1", kinds=[*JobKind], devices=["cpu"])
    status, found = findings(places.home)
    assert status == 0
    assert not [of for of, state in found if state != "ok"]


def test_the_doctor_finds_what_is_broken(places: Places, store: Store) -> None:
    store.jobs.submit(JobKind.SEARCH, "a", {})
    lease = store.leases.claim("gone", lease_s=-1.0)
    assert lease is not None
    sha256 = store.artifacts.put_bytes(b"weights")
    store.hold(lease).save_checkpoint("pack/0", sha256)
    store.artifacts.path(sha256).unlink()
    store.jobs.submit(JobKind.EXPORT, "b", {})
    status, found = findings(places.home)
    assert status == 1
    assert found["files", "problem"] == [f"1 missing: {sha256[:12]}"]
    assert found["work", "warning"] == ["0 workers alive, 0 silent"]
    assert found["work", "problem"] == [f"jobs whose worker is gone: {lease.job_id}", "nobody takes export"]
    nowhere = findings(places.home / "nowhere")
    assert (nowhere[0], ("folders", "problem") in nowhere[1]) == (1, True)


def test_a_log_that_is_long_begins_anew_while_the_child_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mtnas.cli import child as module

    monkeypatch.setattr(module, "LONGEST_LOG_BYTES", 100)
    log = tmp_path / "a.log"
    script = "import sys\nprint('x' * 200, flush=True)\nsys.stdin = open(sys.argv[1])\nsys.stdin.read()\nprint('after')"
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    child = Child("child", (sys.executable, "-c", script, str(gate)), {}, log=log, end_s=5)
    child.start()
    wait_for(lambda: log.stat().st_size > 100)
    child.rotate_log()
    gate.write_text("go on")
    wait_for(lambda: not child.is_alive())
    child.end()
    assert log.read_text() == "after\n"
    assert log.with_name("a.log.1").read_text() == "x" * 200 + "\n"
