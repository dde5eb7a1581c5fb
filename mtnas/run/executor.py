"""Executors: where packs run. In this process here; on Ray actors in ``workers/``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from mtnas.data import EncodedData
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import PackEvent
from mtnas.run.packs.pack_task import PackTask


class Executor(Protocol):
    """Runs packs and tells what happens to them."""

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """Events of all packs, interleaved as they happen; every pack ends with a result or a failure.

        Closing the iterator stops the packs that still run.
        """
        ...


class InProcessExecutor:
    """One pack after another in this process."""

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``Executor``."""
        for task in tasks:
            yield from execute(task, data)
