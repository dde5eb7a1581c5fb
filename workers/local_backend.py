"""Training inside the worker's own process: for small machines, tests and debugging."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from mtnas.data import EncodedData
from mtnas.run.packs import PackEvent, PackTask, execute
from mtnas.spec import ResourcesSpec


class LocalBackend:
    """One pack after another in this process."""

    @property
    def has_gpu(self) -> bool:
        """Whether torch sees a GPU."""
        return torch.cuda.is_available()

    def executor(self, resources: ResourcesSpec, *, device: str, check: Callable[[], None]) -> LocalExecutor:
        """An executor that asks between any two events whether to go on."""
        return LocalExecutor(check)


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
