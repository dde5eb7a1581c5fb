"""The journal of a job in the store: every write proves that the lease is still held."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mtnas.errors import StoreError
from mtnas.run.journal import RouteRow, trial_event
from mtnas.store import Holding, NewRoute, RouteRole, Store, TrialRecord, WorkState
from mtnas.trials import Place, Trial, TrialState
from workers.trial_json import new_trial, stored_trial, trial_result

Result = TypeVar("Result")
CHUNK = 500
"""Rows in one transaction."""
OUTAGE_S, PAUSE_S = 90.0, 0.5
"""How long a job waits for a database that does not answer, and between two tries."""


class StoreJournal:
    """Implements ``mtnas.run.journal.Journal``.

    Args:
        store: to read from.
        holding: to write through.
        check: raises when the work must stop; called before every read and write.
    """

    def __init__(self, store: Store, holding: Holding, check: Callable[[], None]) -> None:
        self._store, self._holding, self._check = store, holding, check
        self._job_id = holding.lease.job_id
        self._ended: dict[int, Trial] | None = None  # reading one takes a while, and none ever changes

    def _patiently(self, write: Callable[[], Result]) -> Result:
        """Write, and again while the database does not answer: what is written twice changes nothing.

        Raises:
            StoreError: it has not answered for ``OUTAGE_S``, or refuses.
        """
        give_up = time.monotonic() + OUTAGE_S
        while True:
            self._check()
            try:
                return write()
            except StoreError as error:
                if type(error) is not StoreError or time.monotonic() > give_up:
                    raise
            time.sleep(PAUSE_S)

    def start_phase(self, name: str) -> None:
        """See ``Journal``."""
        self._patiently(lambda: self._holding.start_phase(name))

    def progress(self, figures: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self._patiently(lambda: self._holding.progress(figures))

    def event(self, kind: str, payload: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self._patiently(lambda: self._holding.event(kind, payload))

    def search_ended(self, stop: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self._patiently(lambda: self._holding.search_ended(stop))

    def trials(self) -> list[Trial]:
        """See ``Journal``."""
        self._check()
        if self._ended is None:  # what earlier attempts have left; what this one ends it reads as it does so
            self._ended = {}
            self._read(self._store.trials.list(self._job_id, limit=None))
        return [self._ended[number] for number in sorted(self._ended)]

    def _read(self, records: Iterable[TrialRecord]) -> None:
        assert self._ended is not None, "the caller has looked"
        for record in records:
            if record.state is not TrialState.RUNNING:
                self._ended[record.number] = stored_trial(record)

    def add_trials(self, trials: Sequence[Trial]) -> None:
        """See ``Journal``."""
        self._patiently(lambda: self._holding.add_trials([new_trial(trial) for trial in trials]))

    def start_trials(self, numbers: Sequence[int], place: Place) -> None:
        """See ``Journal``."""
        self._patiently(lambda: self._holding.start_trials(numbers, place))

    def finish_trials(self, trials: Sequence[Trial]) -> None:
        """See ``Journal``."""
        events = {trial.number: trial_event(trial) for trial in trials}
        results = [trial_result(trial) for trial in trials]
        self._patiently(lambda: self._holding.finish_trials(results, events=events))
        if self._ended is not None:
            self._read(self._store.trials.of_numbers(self._job_id, list(events)))

    def checkpoint(self, name: str) -> bytes | None:
        """See ``Journal``."""
        self._check()
        record = self._store.checkpoints.get(self._job_id, name)
        return None if record is None else self._store.artifacts.path(record.artifact).read_bytes()

    def save_checkpoint(self, name: str, data: bytes) -> None:
        """See ``Journal``."""
        self._patiently(lambda: self._holding.save_checkpoint(name, self._store.artifacts.put_bytes(data)))

    def forget_checkpoints(self, names: Sequence[str]) -> None:
        """See ``Journal``."""
        self._patiently(lambda: self._holding.forget_checkpoints(names))

    def add_graphs(self, graphs: Mapping[str, Mapping[str, Any]]) -> None:
        """See ``Journal``."""
        self._patiently(lambda: self._holding.add_graphs(graphs))

    def add_routes(self, rows: Sequence[RouteRow], *, data_digest: str) -> None:
        """See ``Journal``."""
        self._check()
        for first in range(0, len(rows), CHUNK):  # each a transaction: heartbeats wait for none of them long
            chunk = [_new_route(row, data_digest) for row in rows[first : first + CHUNK]]
            self._patiently(partial(self._holding.add_routes, chunk))

    def put_report(self, report: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self._patiently(lambda: self._holding.put_report(report))

    def count_test_read(self, data_digest: str) -> int:
        """See ``Journal``."""
        self._check()
        return self._holding.count_test_read(data_digest)

    def has_export(self, route_digest: str) -> bool:
        """See ``Journal``."""
        self._check()
        exports = self._store.exports.list(job_id=self._job_id, route_digest=route_digest)
        return any(export.state is WorkState.READY for export in exports)

    def add_export(self, route_digest: str, folder: Path, manifest: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self._check()
        export = self._holding.add_export(route_digest)
        self._holding.finish_export(export.id, self._store.artifacts.put_folder(folder), manifest)


def _new_route(row: RouteRow, data_digest: str) -> NewRoute:
    return NewRoute(
        digest=row.digest,
        graph_digest=row.graph_digest,
        text=row.text,
        data_digest=data_digest,
        num_params=row.num_params,
        macs=row.macs,
        role=RouteRole(row.role),
        label=row.label,
        phase=row.phase,
        rank=row.rank,
        values=row.values,
        details=row.details,
    )
