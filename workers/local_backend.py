"""Training inside the worker's own process: for small machines, tests and debugging."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from mtnas.data import EncodedData
from mtnas.errors import SpecError
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import PackEvent
from mtnas.run.packs.pack_task import PackTask
from mtnas.spec import ResourcesSpec


class LocalBackend:
    """One pack after another in this process."""

    def device(self, asked: ResourcesSpec) -> str:
        """See ``workers.training_job.Backend``."""
        has_gpu = torch.cuda.is_available()
        if asked.device == "auto":
            return "cuda" if has_gpu else "cpu"
        if asked.device == "cuda" and not has_gpu:
            raise SpecError(expected="device cpu or auto on this worker", found="cuda", where="resources.device")
        return asked.device

    @contextmanager
    def executor(self, resources: ResourcesSpec, *, device: str, check: Callable[[], None]) -> Iterator[LocalExecutor]:
        """An executor that asks between any two events whether to go on."""
        yield LocalExecutor(check)

    def rest(self) -> None:
        """Nothing is held between jobs."""


class LocalExecutor:
    """Runs packs here.

    Args:
        check: raises when the work must stop.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``mtnas.run.executor.Executor``."""
        for task in tasks:
            for event in execute(task, data):
                self._check()
                yield event
