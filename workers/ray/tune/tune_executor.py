"""The Executor on Ray Tune: one experiment a job, in a thread of its own, fed with packs as the job plans them."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler

from mtnas.data import EncodedData
from mtnas.errors import ServiceError
from mtnas.run.packs.pack_events import PackEnd, PackEvent
from mtnas.run.packs.pack_task import PackTask
from workers.ray.cluster import FOLDER_PREFIX
from workers.ray.pack_actor import travelling
from workers.ray.room import ActorSize, RoomWatch
from workers.ray.tune.adapter import JobStopper, LeaseHolder, PackSearcher
from workers.ray.tune.packs_in_flight import Flights
from workers.ray.tune.trainable import PackTrainable

LOOK_S = 0.5
END_S = 30.0
ENVIRONMENT = {
    # No result files: results are rows of the database, written by whoever holds the job's lease.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # The state of the experiment is written when it begins and ends, since Tune insists, and never read.
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",
    # The callback tells of trials; tables and traces on the standard output are for people at a keyboard.
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}

_log = logging.getLogger(__name__)


class TuneExecutor:
    """Runs a job's packs as the trials of one Tune experiment, first come first served, on actors that are reused.

    Halving happens inside packs, so Tune has nothing to schedule; it starts when the first packs come.

    Args:
        max_packs: packs at one time at most.
        num_gpus: share of a GPU that every actor gets; 0 for packs on processors.
        wait_s: seconds to wait for a node that can hold an actor.
        check: raises when the work must stop; called at least twice a second.
        most_deaths: a pack is tried again after so many deaths of its actor; after one more it has failed.
    """

    def __init__(
        self, *, max_packs: int, num_gpus: float, wait_s: float, check: Callable[[], None], most_deaths: int = 2
    ) -> None:
        self._max_packs, self._size, self._check = max_packs, ActorSize(num_gpus=num_gpus), check
        self._room = RoomWatch(wait_s=wait_s)
        self._flights = Flights(most_deaths)
        self._holder = LeaseHolder(self._flights)
        self._folder: Path | None = None
        self._thread: threading.Thread | None = None
        self._shared: tuple[EncodedData, Any] | None = None

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``mtnas.run.executor.Executor``.

        Raises:
            SpecError: no node has had so much of a GPU for ``wait_s``.
            ServiceError: no node has had a processor for so long, or Tune has broken down.
        """
        if not tasks:
            return
        self._begin()
        if self._shared is None or self._shared[0] is not data:
            self._shared = (data, ray.put(travelling(tasks, data)))
        told, left = self._flights.add(tasks, self._shared[1]), len(tasks)
        try:
            while left:
                self._check()
                try:
                    event = told.get(timeout=LOOK_S)
                except Empty:
                    self._room.look(self._size)
                    self._require_tune()
                else:
                    left -= isinstance(event, PackEnd)
                    yield event
        finally:
            self._flights.cancel(told)

    def close(self) -> None:
        """End the experiment and whatever still runs, and delete what Tune has written."""
        running = self._flights.close()
        if self._thread is not None:
            self._holder.kill_actors(running)
            self._thread.join(END_S)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._holder.remove_folders()

    def _begin(self) -> None:
        if self._thread is None:
            os.environ.update(ENVIRONMENT)
            self._folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-tune-"))
            at_once = min(self._max_packs, self._room.look(self._size) or self._max_packs)
            self._thread = threading.Thread(target=self._experiment, args=(at_once,), name="tune", daemon=True)
            self._thread.start()

    def _require_tune(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            raise ServiceError(expected="Ray Tune to run as long as the job", found="that it has ended", where="tune")

    def _experiment(self, at_once: int) -> None:
        resources = {"cpu": self._size.num_cpus, "gpu": self._size.num_gpus}
        tuner = tune.Tuner(
            tune.with_resources(PackTrainable, resources),
            tune_config=tune.TuneConfig(
                search_alg=PackSearcher(self._flights),
                scheduler=FIFOScheduler(),  # type: ignore[no-untyped-call]
                num_samples=-1,
                max_concurrent_trials=at_once,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="packs",
                storage_path=str(self._folder),
                callbacks=[self._holder],
                stop=JobStopper(self._flights),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=0),
                verbose=0,
            ),
        )
        try:
            tuner.fit()
        except Exception:  # the edge of the thread: the job hears of it by looking whether the thread lives
            _log.exception("tune broke down")
