"""A long writer holds up other writers, and nobody else; whoever waits too long is told so briefly."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from mtnas.errors import StoreError
from mtnas.store import JobKind, Store
from mtnas.store.database import MOST_WRITERS

PATIENCE_S = 1.0


@pytest.fixture
def impatient(tmp_path: Path, artifacts_folder: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path}/secret/mtnas.db", artifacts=artifacts_folder, patience_s=PATIENCE_S)


def test_readers_do_not_queue_behind_writers(impatient: Store) -> None:
    refused: list[StoreError] = []

    def submit() -> None:
        try:
            impatient.jobs.submit(JobKind.SEARCH, "a", {})
        except StoreError as error:
            refused.append(error)

    with impatient._database.write():  # a long one
        writers = [threading.Thread(target=submit) for _ in range(3 * MOST_WRITERS)]
        for writer in writers:
            writer.start()
        began = time.monotonic()
        for _ in range(20):
            assert impatient.jobs.list() == ()
        read_s = time.monotonic() - began
        for writer in writers:
            writer.join()
    assert read_s < PATIENCE_S
    assert len(refused) == len(writers)
    assert {type(error) for error in refused} == {StoreError}
    assert all("secret" not in str(error) and "INSERT" not in str(error) for error in refused)
    assert impatient.jobs.submit(JobKind.SEARCH, "a", {})[1], "the places of those who gave up are free again"
    impatient.close()
