"""What Tune asks and tells: which pack is next (searcher), what happened to it (callback), when to stop (stopper)."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from workers.ray.tune.packs_in_flight import Flights

_log = logging.getLogger(__name__)


class PackSearcher(Searcher):
    """Every trial that Tune asks for is the next pack. What to train was decided by the job's own searcher.

    Args:
        flights: the packs.
    """

    def __init__(self, flights: Flights) -> None:
        super().__init__()
        self._flights = flights

    def suggest(self, trial_id: str) -> Any:
        """The next pack's name, ``None`` for now, or that there will be none.

        The pack itself travels through the object store, not through Tune's files.
        """
        flight = self._flights.board(trial_id)
        if flight is not None:
            return {"pack": flight.task.key}
        return Searcher.FINISHED if self._flights.is_closed else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: the callback is told of it too."""

    def save(self, checkpoint_path: str) -> None:
        """An empty file where Tune wants one: nothing of a search is ever restored from Tune's folder."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Never called."""
        raise NotImplementedError


class LeaseHolder(Callback):
    """Sends packs to the actors that Tune has found for them, and their events to the job that holds the lease.

    Args:
        flights: the packs.
    """

    def __init__(self, flights: Flights) -> None:
        self._flights = flights
        self._actors: dict[str, Any] = {}
        self._folders: set[Path] = set()

    def __reduce__(self) -> tuple[type[LeaseHolder], tuple[Flights]]:
        """Without actors; see ``Flights``."""
        return LeaseHolder, (self._flights,)

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """An actor is ready: calls of one caller are served in order, so it has the pack before its first step."""
        if trial.storage is not None:
            self._folders.add(Path(trial.storage.experiment_driver_staging_path).parent)
        flight = self._flights.start(trial.trial_id)
        if flight is not None:
            actor: Any = trial.temporary_state.ray_actor
            self._actors[trial.trial_id] = actor
            actor.take.remote(flight.task, flight.data)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Events have come; they are taken out of what Tune keeps."""
        for event in result.pop("events", ()):
            self._flights.tell(trial.trial_id, event)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A pack has ended, or was stopped."""
        self._actors.pop(trial.trial_id, None)
        self._flights.land(trial.trial_id)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """An actor has died: faults of packs are events, not errors of trials."""
        self._actors.pop(trial.trial_id, None)
        file = trial.error_file
        reason = " ".join(Path(file).read_text().split()) if file and Path(file).is_file() else "unknown"
        _log.warning("actor died", extra={"trial": trial.trial_id, "reason": reason})
        self._flights.crash(trial.trial_id, reason)

    def kill_actors(self, trial_ids: Sequence[str]) -> None:
        """End trials at once; Tune would wait for their steps to end."""
        for trial_id in trial_ids:
            if (actor := self._actors.get(trial_id)) is not None:
                ray.kill(actor, no_restart=True)

    def remove_folders(self) -> None:
        """Delete what Tune has written beside its storage: states of trials, with pickles in them."""
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)


class JobStopper(Stopper):
    """Stops trials whose packs have ended or are not listened to, and everything once the job's lease is lost.

    Args:
        flights: the packs.
    """

    def __init__(self, flights: Flights) -> None:
        self._flights = flights

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether one trial must stop."""
        return self._flights.must_stop(trial_id)

    def stop_all(self) -> bool:
        """Whether everything must."""
        return self._flights.is_closed
