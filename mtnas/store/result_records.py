"""What jobs leave behind, as the store takes it in and gives it back: trials, routes, events, reports, exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mtnas.store.records import Json
from mtnas.trials import Place, TrialState


class RouteRole(StrEnum):
    """How a route came into a job's answer."""

    BASELINE = "baseline"
    SEARCH = "search"
    FINALIST = "finalist"
    BEST = "best"
    ENSEMBLE = "ensemble"


class WorkState(StrEnum):
    """State of something that a job makes: an export, or a data set's profile."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrial:
    """A trial that is about to run; `candidate` is the candidate's JSON."""

    number: int
    phase: str
    label: str
    candidate: Json
    route_digest: str | None = None
    notes: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """How a trial ended: complete with values, or failed with a reason.

    `place`, `started_at` and `notes` replace what `start_trials` and `add_trials` stored, unless None.
    """

    number: int
    state: TrialState
    values: Mapping[str, float | None] = field(default_factory=dict)
    evaluations: tuple[Json, ...] = ()
    failure: str | None = None
    place: Place | None = None
    started_at: datetime | None = None
    notes: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """A trial as stored; see `mtnas.trials.Trial` for the meaning of the fields."""

    job_id: str
    number: int
    phase: str
    label: str
    state: TrialState
    candidate: Json
    route_digest: str | None
    values: Mapping[str, float | None]
    evaluations: tuple[Json, ...]
    place: Place | None
    failure: str | None
    notes: Json
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoute:
    """A route and its figures, to be stored under (job, digest); reporting it again replaces the earlier row.

    Attributes:
        digest: the route's digest, which contains its graph's.
        graph_digest: must have been given to `add_graphs` before.
        text: the canonical text.
        data_digest: figures are comparable within one data digest only.
        values: further figures by name, each a number or None; all can be sorted by.
        rank: 1 for the best of its job; None for routes outside the answer.
        details: anything else worth keeping, such as the settings and the deviations over seeds.
    """

    digest: str
    graph_digest: str
    text: str
    data_digest: str
    num_params: int
    macs: int
    role: RouteRole
    label: str
    phase: str
    rank: int | None = None
    values: Mapping[str, float | None] = field(default_factory=dict)
    details: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRecord(NewRoute):
    """A route as stored."""

    job_id: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """Something that happened to a job; `seq` is dense within it."""

    job_id: str
    seq: int
    kind: str
    payload: Json
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRecord:
    """The answer of a job as JSON."""

    job_id: str
    report: Json
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRecord:
    """A named resting point of a job: a file by its sha256, and what JSON says about it."""

    job_id: str
    name: str
    artifact: str
    payload: Json
    saved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRecord:
    """A frozen trained module, or the promise of one. `artifact` names a zip file once `state` is ready."""

    id: str
    job_id: str
    route_digest: str
    format: str
    state: WorkState
    artifact: str | None
    manifest: Json | None
    failure: Json | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRecord:
    """A file that somebody sends, or has sent: `artifact` is its digest once it is whole."""

    owner: str
    sha256: str
    size_bytes: int
    artifact: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRecord:
    """A named data source and what its profile job found. `job_id` is the last job that profiled it."""

    id: str
    owner: str
    name: str
    source: Json
    state: WorkState
    profile: Json | None
    digest: str | None
    failure: Json | None
    job_id: str
    created_at: datetime
    updated_at: datetime
