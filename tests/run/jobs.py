"""Small whole jobs in this process, executors that misbehave, and what two reports must agree on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mtnas.data import DataAccess, EncodedData
from mtnas.errors import MtnasError
from mtnas.run import Executor, InProcessExecutor, Journal, run_job
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import PackEvent, PackFailed
from mtnas.run.packs.pack_task import PackTask, TrainWork
from mtnas.run.phases.prepare import expanded
from mtnas.spec import JobSpec
from mtnas.trials import Trial
from search_spaces import build
from tests.lean import NO_MODELS

NUM_TASKS = 2
PLANTED: dict[str, Any] = {"rows": 400, "dims": 8, "num_tasks": NUM_TASKS, "kind": "binary"}
DATA: dict[str, Any] = {"source": {"kind": "catalogue", "name": "planted", "options": PLANTED}}
TRAINING: dict[str, Any] = {"batch_size": 64, "epochs": 1, "lr": {"grid": [0.003, 0.01]}, "extend": 0}
SHORT: dict[str, Any] = {"least_steps": 0, "screen": 0}  # a search over shared weights as short as its epochs are
SMALL: dict[str, Any] = {
    "name": "small",
    "data": DATA,
    "tasks": [{"name": f"task_{t}", "kind": "binary", "tower": [4]} for t in range(NUM_TASKS)],
    "space": {"name": "mtnas", "options": {"layers": 2, "subnets": 2, "width": 4}},
    "search": {"kind": "reinforce", "routes_per_step": 4, "reward_rows": 32, **SHORT},
    "training": TRAINING,
    "protocol": {
        "level": "quick",
        "baselines": ["shared_bottom"],
        "seeds": 2,
        "finalists": 2,
        **NO_MODELS,
    },
    "export": {"top": 0, "ensemble": "none"},  # tests/run/phases/test_ensemble.py and test_ensemble_export.py have one
}
# What these are charged, in candidate-steps: a step has 64 rows, a forward pass alone is a third.
STEPS = 3  # one epoch of 204 rows
SEARCH_ROWS = 41
EVALUATION = SEARCH_ROWS / 64 / 3  # of a route on all of ``search``
POLICY_STEP = 4 * 32 / 64 / 3  # the rewards of SMALL's search
YARDSTICK = 16 * EVALUATION  # random routes under the shared weights
MOST_KNOWN = 4 * EVALUATION  # schemes that SMALL's space contains
SAMPLED: dict[str, Any] = SMALL | {"search": {"kind": "random", "generation": 3}, "budget": {"trials": 7}}


def spec_of(*, base: Mapping[str, Any] = SMALL, **changes: Any) -> JobSpec:
    """A specification as it is stored: with its space written out."""
    return expanded(JobSpec.model_validate({**base, **changes}), build)


def run(spec: JobSpec, journal: Journal, access: DataAccess, executor: Executor | None = None) -> Mapping[str, Any]:
    """The job's report."""
    return run_job(spec, access=access, executor=executor or InProcessExecutor(), journal=journal)


def timeless(report: Any) -> Any:
    """A report without what clocks decide."""
    clocks = {"device_seconds", "multiple_of_shared_bottom"}
    if isinstance(report, Mapping):
        return {name: timeless(value) for name, value in report.items() if name not in clocks}
    return [timeless(value) for value in report] if isinstance(report, list | tuple) else report


def timeless_trials(trials: Sequence[Trial]) -> list[Trial]:
    """Trials without what clocks decide."""
    return [
        replace(
            trial,
            evaluations=tuple(
                replace(e, costs={name: v for name, v in e.costs.items() if name != "device_seconds"})
                for e in trial.evaluations
            ),
        )
        for trial in trials
    ]


class EagerExecutor:
    """Saves a checkpoint at every look, and keeps count of the packs it ran to their end."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self.resumed: list[str] = []

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``Executor``."""
        for task in tasks:
            if task.resume is not None:
                self.resumed.append(task.key)
            yield from execute(replace(task, checkpoint_every_s=-1.0), data)
            self.finished.append(task.key)


class BackwardsExecutor:
    """Ends packs in the opposite order, their events interleaved, as several actors might."""

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``Executor``."""
        running = [execute(task, data) for task in reversed(tasks)]
        while running:
            for pack in list(running):
                event = next(pack, None)
                if event is None:
                    running.remove(pack)
                else:
                    yield event


class FailingExecutor:
    """Packs for which ``reason`` has one fail with it."""

    def __init__(self, reason: Callable[[PackTask], MtnasError | None]) -> None:
        self.reason = reason
        self.failed: list[PackTask] = []

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``Executor``."""
        for task in tasks:
            error = self.reason(task)
            if error is None:
                yield from execute(task, data)
            else:
                self.failed.append(task)
                yield PackFailed(key=task.key, place=None, error=error)


def size_of(task: PackTask) -> int:
    """Candidates of a pack; 0 for other work."""
    return len(task.work.candidates) if isinstance(task.work, TrainWork) else 0
