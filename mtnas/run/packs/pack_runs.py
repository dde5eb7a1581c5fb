"""Packs at work on a job's executor: their checkpoints go to the journal, their progress to whoever follows the job."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mtnas.data import EncodedData
from mtnas.run.executor import Executor
from mtnas.run.journal import Journal
from mtnas.run.packs.pack_events import (
    PackCheckpoint,
    PackEnd,
    PackFailed,
    PackProgress,
    PackStarted,
    SupernetResult,
    TaskModelResult,
    TrainResult,
)
from mtnas.run.packs.pack_task import PackTask
from mtnas.run.packs.progress import WHOLE, PackMeter, PhaseProgress, Stretch


class PackRuns:
    """Runs packs, phase by phase.

    Args:
        executor: what does their work.
        journal: where their checkpoints are kept.
        data: what they train on.
        streamed: whether they read inputs from the cache.
    """

    def __init__(self, *, executor: Executor, journal: Journal, data: EncodedData, streamed: bool) -> None:
        self._executor, self._journal, self._data, self._streamed = executor, journal, data, streamed
        self._checkpointed: set[str] = set()
        self._progress = PhaseProgress()
        self._last_report = 0.0

    def start_phase(self) -> None:
        """Progress begins anew."""
        self._progress = PhaseProgress()

    def execute(self, tasks: Sequence[PackTask], *, stretch: Stretch = WHOLE) -> Iterator[PackEnd]:
        """How packs end, each from its checkpoint if there is one."""
        return self.run(tasks, self.meter(len(tasks), stretch))

    def run(
        self, tasks: Sequence[PackTask], meter: PackMeter, *, trials: Mapping[str, Sequence[int]] | None = None
    ) -> Iterator[PackEnd]:
        """The same for packs that a meter counts already; whoever splits one tells the meter.

        Args:
            tasks: what is to be done.
            meter: counts it.
            trials: by the packs' keys, the numbers of the trials that begin when a pack does.
        """
        resumed = [
            replace(task, streamed=self._streamed, resume=self._journal.checkpoint(f"pack/{task.key}") or task.resume)
            for task in tasks
        ]
        self._checkpointed |= {task.key for task in resumed if task.resume is not None}
        events = self._executor.run(resumed, self._data)
        try:
            for event in events:
                match event:
                    case PackCheckpoint():
                        self.save(event.key, event.state)
                    case TrainResult() | SupernetResult() | TaskModelResult() | PackFailed():
                        meter.note(event)
                        self._tell(meter)
                        yield event
                    case PackStarted() | PackProgress():
                        if isinstance(event, PackStarted) and trials:
                            self._journal.start_trials(trials[event.key], event.place)
                        meter.note(event)
                        self._tell(meter)
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()

    def meter(self, num_packs: int, stretch: Stretch) -> PackMeter:
        """Counts what so many packs do from now on."""
        return PackMeter(num_packs, stretch, time.monotonic())

    def reach(self, share: float) -> None:
        """So much of the phase is done, packs that were foreseen and not needed included."""
        self._journal.progress(self._progress.figures(self.meter(0, Stretch(begin=share, end=share)), time.monotonic()))

    def save(self, key: str, state: bytes) -> None:
        """Keep a pack's state to go on from."""
        self._checkpointed.add(key)
        self._journal.save_checkpoint(f"pack/{key}", state)

    def forget(self, keys: Iterable[str]) -> None:
        """Let go of the checkpoints of packs that nobody will go on from, if there are any."""
        known = [key for key in dict.fromkeys(keys) if key in self._checkpointed]
        if known:
            self._checkpointed.difference_update(known)
            self._journal.forget_checkpoints([f"pack/{key}" for key in known])

    def _tell(self, meter: PackMeter) -> None:
        """Write at most two reports a second; followers see throughput and time left."""
        now = time.monotonic()
        figures = self._progress.figures(meter, now)
        if now - self._last_report > 0.5 or meter.finished:
            self._last_report = now
            self._journal.progress(figures)
