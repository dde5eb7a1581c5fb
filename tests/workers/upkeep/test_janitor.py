"""Tidying up: what a deleted job left goes from the disk, what others name stays."""

import threading
import time
from pathlib import Path

from mtnas.errors import NotFoundError
from mtnas.store import JobKind, Store
from workers.settings import Settings
from workers.upkeep.janitor import Janitor


def test_files_of_deleted_jobs_go_and_those_of_others_stay(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, tidy_s=0.02, garbage_age_s=0.001, cache_mib=0)
    with Store.open(settings.database, artifacts=settings.artifacts) as store:
        kept, gone = store.artifacts.put_bytes(b"kept"), store.artifacts.put_bytes(b"gone")
        jobs = []
        for artifact in (kept, gone):
            job, _ = store.jobs.submit(JobKind.SEARCH, "a", {})
            lease = store.leases.claim("test")
            assert lease is not None
            holding = store.hold(lease)
            holding.save_checkpoint("weights/0", artifact)
            holding.finish()
            jobs.append(job.id)
        store.jobs.delete(jobs[1])
        shutdown = threading.Event()
        janitor = Janitor(store, settings, shutdown=shutdown)
        janitor.start()
        deadline = time.monotonic() + 120
        while _is_there(store, gone):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        shutdown.set()
        janitor.join()
        assert _is_there(store, kept)


def _is_there(store: Store, sha256: str) -> bool:
    try:
        return store.artifacts.path(sha256).is_file()
    except NotFoundError:
        return False


def test_without_a_limit_encoded_data_stays(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, garbage_age_s=0.001)
    folder = settings.cache / "encoded" / "d"
    folder.mkdir(parents=True)
    (folder / "encoded.json").write_text("{}")
    with Store.open(settings.database, artifacts=settings.artifacts) as store:
        Janitor(store, settings, shutdown=threading.Event()).tidy()
    assert folder.is_dir()
