"""A journal whose lease is lost at a chosen write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtnas.errors import LeaseLostError
from mtnas.run import MemoryJournal, RouteRow
from mtnas.trials import Place, Trial


class InterruptedJournal:
    """Writes through to ``kept`` and counts; the write of number ``at`` raises.

    Progress is passed on but not counted, since clocks decide how often it is written.

    Args:
        kept: what outlives the interruption.
        at: the write that fails, from 0; None never fails.
        durable: whether the failing write itself still arrives, as when the answer is lost after the commit.
    """

    def __init__(self, kept: MemoryJournal, *, at: int | None = None, durable: bool = False) -> None:
        self._kept, self._at, self._durable = kept, at, durable
        self.writes: list[str] = []

    def _fails(self, name: str) -> bool:
        self.writes.append(name)
        return len(self.writes) - 1 == self._at

    def _lost(self) -> LeaseLostError:
        return LeaseLostError(expected="the lease", found="another holder", where=f"write {self.writes[-1]}")

    def progress(self, figures: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self._kept.progress(figures)

    def trials(self) -> list[Trial]:
        """See ``Journal``."""
        return self._kept.trials()

    def checkpoint(self, name: str) -> bytes | None:
        """See ``Journal``."""
        return self._kept.checkpoint(name)

    def has_export(self, route_digest: str) -> bool:
        """See ``Journal``."""
        return self._kept.has_export(route_digest)

    def start_phase(self, name: str) -> None:
        """See ``Journal``."""
        self._write("start_phase", name)

    def event(self, kind: str, payload: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self._write("event", kind, payload)

    def search_ended(self, stop: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self._write("search_ended", stop)

    def add_trials(self, trials: Sequence[Trial]) -> None:
        """See ``Journal``."""
        self._write("add_trials", trials)

    def start_trials(self, numbers: Sequence[int], place: Place) -> None:
        """See ``Journal``; nothing depends on it, so it is never where a job is interrupted."""
        self._kept.start_trials(numbers, place)

    def finish_trials(self, trials: Sequence[Trial]) -> None:
        """See ``Journal``."""
        self._write("finish_trials", trials)

    def save_checkpoint(self, name: str, data: bytes) -> None:
        """See ``Journal``."""
        self._write("save_checkpoint", name, data)

    def forget_checkpoints(self, names: Sequence[str]) -> None:
        """See ``Journal``."""
        self._write("forget_checkpoints", names)

    def add_graphs(self, graphs: Mapping[str, Mapping[str, Any]]) -> None:
        """See ``Journal``."""
        self._write("add_graphs", graphs)

    def put_report(self, report: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self._write("put_report", report)

    def add_routes(self, rows: Sequence[RouteRow], *, data_digest: str) -> None:
        """See ``Journal``."""
        fails = self._fails("add_routes")
        if not fails or self._durable:
            self._kept.add_routes(rows, data_digest=data_digest)
        if fails:
            raise self._lost()

    def count_test_read(self, data_digest: str) -> int:
        """See ``Journal``."""
        fails = self._fails("count_test_read")
        reads = self._kept.count_test_read(data_digest) if not fails or self._durable else 0
        if fails:
            raise self._lost()
        return reads

    def add_export(self, route_digest: str, folder: Path, manifest: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        self._write("add_export", route_digest, folder, manifest)

    def _write(self, name: str, *values: Any) -> None:
        fails = self._fails(name)
        if not fails or self._durable:
            getattr(self._kept, name)(*values)
        if fails:
            raise self._lost()
