"""A journal in memory, for searches without a service."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtnas.run.journal import RouteRow, trial_event
from mtnas.trials import Place, Trial, TrialState


class MemoryJournal:
    """Keeps everything in attributes; exports go below ``folder``."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.phases: list[str] = []
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.stop: Mapping[str, Any] | None = None
        self.graphs: dict[str, Mapping[str, Any]] = {}
        self.routes: dict[str, RouteRow] = {}
        self.report: Mapping[str, Any] | None = None
        self.exports: dict[str, Path] = {}
        self._trials: dict[int, Trial] = {}
        self._checkpoints: dict[str, bytes] = {}
        self._test_reads: set[str] = set()

    def start_phase(self, name: str) -> None:
        """See ``Journal``."""
        self.phases.append(name)

    def progress(self, figures: Mapping[str, Any]) -> None:
        """See ``Journal``; nobody follows a job in memory."""

    def event(self, kind: str, payload: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self.events.append((kind, payload))

    def search_ended(self, stop: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        if stop != self.stop:
            self.stop = stop
            self.events.append(("search_ended", stop))

    def trials(self) -> list[Trial]:
        """See ``Journal``."""
        finished = (trial for trial in self._trials.values() if trial.state is not TrialState.RUNNING)
        return sorted(finished, key=lambda trial: trial.number)

    def add_trials(self, trials: Sequence[Trial]) -> None:
        """See ``Journal``."""
        for trial in trials:
            self._trials.setdefault(trial.number, trial)

    def start_trials(self, numbers: Sequence[int], place: Place) -> None:
        """See ``Journal``."""
        for number in numbers:
            if self._trials[number].state is TrialState.RUNNING:
                self._trials[number] = replace(self._trials[number], place=place)

    def finish_trials(self, trials: Sequence[Trial]) -> None:
        """See ``Journal``."""
        for trial in trials:
            if self._trials[trial.number].state is TrialState.RUNNING:
                self._trials[trial.number] = trial
                self.events.append(("trial", trial_event(trial)))

    def checkpoint(self, name: str) -> bytes | None:
        """See ``Journal``."""
        return self._checkpoints.get(name)

    def save_checkpoint(self, name: str, data: bytes) -> None:
        """See ``Journal``."""
        self._checkpoints[name] = data

    def forget_checkpoints(self, names: Sequence[str]) -> None:
        """See ``Journal``."""
        for name in names:
            self._checkpoints.pop(name, None)

    def add_graphs(self, graphs: Mapping[str, Mapping[str, Any]]) -> None:
        """See ``Journal``."""
        self.graphs |= graphs

    def add_routes(self, rows: Sequence[RouteRow], *, data_digest: str) -> None:
        """See ``Journal``."""
        self.routes |= {row.digest: row for row in rows}

    def put_report(self, report: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self.report = report

    def count_test_read(self, data_digest: str) -> int:
        """See ``Journal``."""
        self._test_reads.add(data_digest)
        return 1

    def has_export(self, route_digest: str) -> bool:
        """See ``Journal``."""
        return route_digest in self.exports

    def add_export(self, route_digest: str, folder: Path, manifest: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        target = folder
        if self.folder is not None:
            target = self.folder / f"export-{route_digest[:12]}"
            shutil.copytree(folder, target, dirs_exist_ok=True)
        self.exports[route_digest] = target
