"""Files by sha256, and rows that never name a missing one."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import insert

from mtnas.errors import NotFoundError
from mtnas.store import Artifacts, Holding, Store
from mtnas.store.files.references import refer_to
from mtnas.store.tables import CHECKPOINTS


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "artifacts")


def age(store: Store, seconds: float) -> None:
    """Make every file look as if it had been stored earlier."""
    moment = time.time() - seconds
    for path in (*store.artifacts.stored(), *store.artifacts.unfinished()):
        os.utime(path, (moment, moment))


def test_bytes_are_found_by_their_sha256(artifacts: Artifacts) -> None:
    sha256 = artifacts.put_bytes(b"weights")
    assert sha256 == hashlib.sha256(b"weights").hexdigest()
    assert artifacts.path(sha256).read_bytes() == b"weights"
    with artifacts.open(sha256) as file:
        assert file.read() == b"weights"


def test_folder_is_one_zip_file_that_depends_on_its_contents_only(artifacts: Artifacts, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "model.py").write_text("import torch\n")
        (tmp_path / name / "a.bin").write_bytes(bytes(range(256)))
    os.utime(tmp_path / "two" / "a.bin", (0, 0))
    sha256 = artifacts.put_folder(tmp_path / "one")
    assert artifacts.put_folder(tmp_path / "two") == sha256
    assert hashlib.sha256(artifacts.path(sha256).read_bytes()).hexdigest() == sha256
    with artifacts.open(sha256) as file, zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path / "out")
    assert (tmp_path / "out" / "sub" / "model.py").read_text() == "import torch\n"
    assert (tmp_path / "out" / "a.bin").read_bytes() == bytes(range(256))
    (tmp_path / "two" / "a.bin").write_bytes(b"")
    assert artifacts.put_folder(tmp_path / "two") != sha256


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a" * 63, "A" * 64, "0" * 64])
def test_names_that_are_no_stored_file_are_not_found(artifacts: Artifacts, name: str) -> None:
    with pytest.raises(NotFoundError):
        artifacts.path(name)


def test_interrupted_writing_leaves_no_file_under_a_name(artifacts: Artifacts) -> None:
    class Source:
        def __init__(self) -> None:
            self.reads = 0

        def read(self, _size: int) -> bytes:
            self.reads += 1
            if self.reads > 2:
                raise ConnectionResetError
            return b"part"

    with pytest.raises(ConnectionResetError):
        artifacts._put(Source())  # type: ignore[arg-type]
    assert list(artifacts.stored()) == []
    assert list(artifacts.unfinished()) == []


def test_checkpoint_names_a_stored_file_and_is_replaced_as_a_whole(store: Store, holding: Holding) -> None:
    job_id = holding.lease.job_id
    assert store.checkpoints.get(job_id, "policy") is None
    first, second = store.artifacts.put_bytes(b"1"), store.artifacts.put_bytes(b"2")
    holding.save_checkpoint("policy", first, {"step": 1, "loss": float("nan")})
    holding.save_checkpoint("policy", second, {"step": 2})
    holding.save_checkpoint("baselines", first)
    checkpoint = store.checkpoints.get(job_id, "policy")
    assert checkpoint is not None
    assert (checkpoint.artifact, checkpoint.payload) == (second, {"step": 2})
    assert [checkpoint.name for checkpoint in store.checkpoints.list(job_id)] == ["baselines", "policy"]


def test_row_never_names_a_missing_file(store: Store, holding: Holding) -> None:
    export = holding.add_export("r")
    for missing in ("0" * 64, "no sha"):
        with pytest.raises(NotFoundError, match="artifact"):
            holding.save_checkpoint("policy", missing)
        with pytest.raises(NotFoundError, match="artifact"):
            holding.finish_export(export.id, missing, {})
    assert store.checkpoints.list(holding.lease.job_id) == ()
    assert store.exports.get(export.id) == export


def test_garbage_collection_spares_named_and_young_files(store: Store, holding: Holding) -> None:
    replaced, kept, exported, unnamed = (store.artifacts.put_bytes(bytes([number])) for number in range(4))
    holding.save_checkpoint("policy", replaced)
    holding.save_checkpoint("policy", kept)
    holding.finish_export(holding.add_export("r").id, exported, {})
    (store.artifacts.folder / "unfinished" / "left-over").write_bytes(b"half")
    assert store.collect_garbage(older_than_s=60.0) == ()
    age(store, 120.0)
    young = store.artifacts.put_bytes(b"young")
    assert set(store.collect_garbage(older_than_s=60.0)) == {unnamed, "left-over"}
    # The row of the replaced file is as young as the test, so it was spared; time passes.
    age(store, 120.0)
    assert set(store.collect_garbage(older_than_s=0.0)) == {replaced, young}
    for sha256 in (kept, exported):
        assert store.artifacts.path(sha256).is_file()


def test_collected_file_can_be_stored_and_named_again(store: Store, holding: Holding) -> None:
    sha256 = store.artifacts.put_bytes(b"weights")
    holding.save_checkpoint("policy", sha256)
    holding.save_checkpoint("policy", store.artifacts.put_bytes(b"others"))
    age(store, 1.0)
    assert store.collect_garbage(older_than_s=0.0) == (sha256,)
    with pytest.raises(NotFoundError):
        holding.save_checkpoint("policy", sha256)
    holding.save_checkpoint("policy", store.artifacts.put_bytes(b"weights"))


def test_collector_waits_for_whoever_is_about_to_name_a_file(store: Store, holding: Holding) -> None:
    sha256 = store.artifacts.put_bytes(b"weights")
    age(store, 120.0)
    collector = threading.Thread(target=lambda: store.collect_garbage(older_than_s=0.0))
    with store._database.write() as connection:
        refer_to(connection, store.artifacts, sha256)
        collector.start()
        collector.join(0.3)
        assert collector.is_alive()
        row = {"job_id": holding.lease.job_id, "name": "policy", "artifact": sha256, "payload": {}}
        connection.execute(insert(CHECKPOINTS), row)
    collector.join(30.0)
    assert not collector.is_alive()
    assert store.artifacts.path(sha256).read_bytes() == b"weights"


def test_storing_again_makes_a_file_young(store: Store) -> None:
    sha256 = store.artifacts.put_bytes(b"weights")
    age(store, 120.0)
    assert store.artifacts.put_bytes(b"weights") == sha256
    assert store.collect_garbage(older_than_s=60.0) == ()


def test_jobs_may_share_a_file(store: Store, claim: Callable[..., Holding]) -> None:
    sha256 = store.artifacts.put_bytes(b"weights")
    for holding in (claim(), claim()):
        holding.save_checkpoint("policy", sha256)
        checkpoint = store.checkpoints.get(holding.lease.job_id, "policy")
        assert checkpoint is not None
        assert checkpoint.artifact == sha256
