"""The Journal: everything a running job writes down and reads back. The store implements it for the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mtnas.trials import Place, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRow:
    """A route of the job's answer with its figures.

    Attributes:
        role: ``baseline``, ``search``, ``finalist`` or ``best``.
        label: what it is for a reader (``mmoe``, ``finalist-1``).
        values: figures by name; all can be sorted by.
        rank: 1 for the best of the job; None outside the answer.
        details: anything else worth keeping.
    """

    digest: str
    graph_digest: str
    text: str
    num_params: int
    macs: int
    role: str
    label: str
    phase: str
    values: Mapping[str, float | None] = field(default_factory=dict)
    rank: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def trial_event(trial: Trial) -> dict[str, Any]:
    """What followers hear of a trial that ended."""
    return {"number": trial.number, "label": trial.label, "state": str(trial.state), "values": dict(trial.values)}


class Journal(Protocol):
    """What a job leaves behind; every write is durable when it returns, and writing it again changes nothing.

    Every method may raise ``LeaseLostError`` (stop at once) or ``CancelledError`` (somebody asked to stop).
    """

    def start_phase(self, name: str) -> None:
        """A phase begins or goes on."""

    def progress(self, figures: Mapping[str, Any]) -> None:
        """How far the phase is; only the latest figures count."""

    def event(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Something a follower of the job should hear of."""

    def search_ended(self, stop: Mapping[str, Any]) -> None:
        """Why the search has ended: for whoever looks at the job, and for its followers, who hear it once."""

    def trials(self) -> list[Trial]:
        """All finished trials of the job, by number."""

    def add_trials(self, trials: Sequence[Trial]) -> None:
        """Trials that are about to run."""

    def start_trials(self, numbers: Sequence[int], place: Place) -> None:
        """Trials that were added have found their place and begin now; those that have ended stay as they were."""

    def finish_trials(self, trials: Sequence[Trial]) -> None:
        """Trials that ended; a number that has ended before stays as it was.

        Followers hear of each trial once, by an event of kind ``trial`` (``trial_event``).
        """

    def checkpoint(self, name: str) -> bytes | None:
        """The latest checkpoint of this name."""

    def save_checkpoint(self, name: str, data: bytes) -> None:
        """Replace the checkpoint of this name."""

    def forget_checkpoints(self, names: Sequence[str]) -> None:
        """Let go of checkpoints that nobody will go on from; names that are not there change nothing."""

    def add_graphs(self, graphs: Mapping[str, Mapping[str, Any]]) -> None:
        """Graphs by digest, as JSON; before the routes that need them."""

    def add_routes(self, rows: Sequence[RouteRow], *, data_digest: str) -> None:
        """Routes and their figures; a route reported again replaces the earlier row."""

    def put_report(self, report: Mapping[str, Any]) -> None:
        """The job's report."""

    def count_test_read(self, data_digest: str) -> int:
        """Note that this job has read the test part; how many jobs have."""

    def has_export(self, route_digest: str) -> bool:
        """Whether the route's export is ready."""

    def add_export(self, route_digest: str, folder: Path, manifest: Mapping[str, Any]) -> None:
        """A verified export, as a folder."""
