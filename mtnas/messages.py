"""What the service says: the answers of the REST API as typed values, one definition for both ends of the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")

_JOB_ID = "0199c1f0a7b27c51a3c4d5e6f7a8b9c0"
_ROUTE_ID = "5d41402abc4b2a76b9719d911017c592a1f0e6b3c2d4958677889900aabbccdd"


class Answer(BaseModel):
    """Base of the answers; a field that this version does not know is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, from_attributes=True)


class Page(Answer, Generic[Item]):
    """Some items, and the cursor of those that follow (``None``: these were the last)."""

    items: tuple[Item, ...]
    next: str | None = None


class Problem(Answer):
    """A problem document (RFC 9457). ``errors`` lists all problems when there is more than one."""

    type: str = Field(examples=["urn:mtnas:problem:spec-error"])
    title: str = Field(examples=["Spec error"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["training.epochs: expected greater than or equal to 1 or 'auto', found 0"])
    instance: str = Field(examples=["/v1/jobs"])
    expected: str = Field(examples=["greater than or equal to 1"])
    found: str = Field(examples=["0"])
    where: str = Field(examples=["training.epochs"])
    errors: tuple[dict[str, str], ...] = ()


class JobSummary(Answer):
    """A job and its state, without its specification."""

    id: str = Field(examples=[_JOB_ID])
    kind: str = Field(examples=["search"])
    name: str = Field(examples=["flights-three-tasks"])
    state: str = Field(examples=["running"])
    phase: str | None = Field(examples=["search"])
    progress: dict[str, Any] = Field(examples=[{"packs": 12, "packs_done": 5, "share": 0.41, "seconds_left": 55.0}])
    attempt: int = Field(examples=[1])
    worker: str | None = None
    cancel_requested: bool = False
    pause_requested: bool = False
    failure_kind: str | None = None
    failure: dict[str, Any] | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    stop: dict[str, Any] | None = Field(
        default=None,
        description="Why the search ended: reason, detail, and whether it would end there on any machine.",
        examples=[{"reason": "trials", "detail": "64 of 64 trials", "reproducible": True}],
    )
    extends: str | None = Field(default=None, description="The job that this one goes on from.")
    owner: str | None = Field(default=None, examples=["ann"])
    labels: dict[str, str] = Field(default_factory=dict, examples=[{"team": "ads"}])
    note: str | None = None
    device_seconds: float = Field(default=0.0, description="What its trials have taken of their devices.")
    deleted_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.state in ("succeeded", "failed", "cancelled")


class Job(JobSummary):
    """A job with its specification, the search space written out."""

    spec: dict[str, Any] = Field(examples=[{"version": 1, "name": "flights-three-tasks"}])


class JobPage(Page[JobSummary]):
    """Jobs, newest first."""


class Plan(Answer):
    """What a specification would do, without a job being made.

    Attributes:
        spec: the specification with every default and the search space written out.
        space_size: routes in the space, as text: exact below 10**18, else like ``4.342e+1234``.
        route_cost: parameters and multiply-accumulates of a typical route; ``None`` when the inputs are not known yet.
        estimate: trials and candidate-steps, and what they are made of.
        warnings: what will work, but probably not as meant.
    """

    spec: dict[str, Any]
    space_size: str = Field(examples=["1185921"])
    route_cost: dict[str, int] | None = Field(examples=[{"num_params": 51234, "macs": 48211}])
    estimate: dict[str, Any] = Field(examples=[{"trials": 24, "candidate_steps": 7900}])
    warnings: tuple[str, ...] = ()


class Place(Answer):
    """Where a trial ran."""

    node: str = Field(examples=["node-1"])
    process: int = Field(examples=[4242])
    device: str = Field(examples=["cpu"])
    actor: str | None = None


class Trial(Answer):
    """A candidate that is being or was run."""

    number: int
    phase: str = Field(examples=["search"])
    label: str = Field(examples=["finalist-1"])
    state: str = Field(examples=["complete"])
    candidate: dict[str, Any]
    route_digest: str | None = Field(examples=[_ROUTE_ID])
    values: dict[str, float | None] = Field(examples=[{"mean_gain": 0.012}])
    evaluations: tuple[dict[str, Any], ...] = ()
    place: Place | None = None
    failure: str | None = None
    notes: dict[str, Any] = Field(default_factory=dict)
    attempt: int
    started_at: datetime | None = None
    finished_at: datetime | None = None


class TrialPage(Page[Trial]):
    """Trials of a job."""


class Route(Answer):
    """A route and its figures in one job. Figures compare within one ``data_digest`` only."""

    digest: str = Field(examples=[_ROUTE_ID])
    graph_digest: str
    job_id: str = Field(examples=[_JOB_ID])
    text: str = Field(examples=["task:a<-l1.0+l1.2:softmax(input); l1.0=mlp(64)"])
    data_digest: str
    num_params: int = Field(examples=[51234])
    macs: int = Field(examples=[48211])
    role: str = Field(examples=["finalist"])
    label: str = Field(examples=["finalist-1"])
    phase: str = Field(examples=["retrain"])
    rank: int | None = Field(examples=[1])
    values: dict[str, float | None] = Field(examples=[{"mean_gain": 0.012, "income.auc": 0.951}])
    details: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime


class RoutePage(Page[Route]):
    """Routes, in the order that was asked for."""


class Front(Page[Route]):
    """The routes of a job that no other beats on every objective, best on the first objective first.

    Attributes:
        reference: the worst figure of the named baselines on every objective; ``None`` before the job's report.
        hypervolume: what the front covers beyond the reference, in the product of the objectives' units; ``None`` with
            one objective or before the report.
        of_baselines: what the named baselines cover alone.
    """

    reference: dict[str, float] | None = Field(default=None, examples=[{"mean_gain": -0.004, "num_params": 60312.0}])
    hypervolume: float | None = Field(default=None, examples=[312.5])
    of_baselines: float | None = Field(default=None, examples=[104.2])


class Report(Answer):
    """The answer of a job: table, verdict, curves."""

    job_id: str = Field(examples=[_JOB_ID])
    report: dict[str, Any]
    updated_at: datetime


class Event(Answer):
    """Something that happened to a job; ``seq`` counts 1, 2, 3 within it."""

    job_id: str = Field(examples=[_JOB_ID])
    seq: int = Field(examples=[17])
    kind: str = Field(examples=["progress"])
    payload: dict[str, Any]
    at: datetime


class Export(Answer):
    """A trained module that runs without mtnas, or the promise of one (``state``: pending, ready, failed)."""

    id: str
    job_id: str = Field(examples=[_JOB_ID])
    route_digest: str = Field(examples=[_ROUTE_ID])
    format: str = Field(examples=["module"])
    state: str = Field(examples=["ready"])
    artifact: str | None = None
    manifest: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    created_at: datetime
    finished_at: datetime | None = None


class ExportPage(Page[Export]):
    """Exports, newest first."""


class SearchSpaceEntry(Answer):
    """A search space of the catalogue."""

    name: str = Field(examples=["mtnas"])
    summary: str = Field(examples=["Layers of sub-networks, every edge free"])
    options: dict[str, Any] = Field(examples=[{"layers": 2, "subnets": 4, "width": 64}])


class SearchSpacePage(Page[SearchSpaceEntry]):
    """The catalogue of search spaces."""


class Dataset(Answer):
    """A data set: of the catalogue (no id, nothing to wait for), or registered, with what its profile job found."""

    name: str = Field(examples=["clicks-2026"])
    kind: str = Field(default="registered", examples=["registered"])
    id: str | None = None
    source: dict[str, Any] = Field(examples=[{"kind": "file", "paths": ["clicks.parquet"]}])
    state: str = Field(examples=["ready"])
    profile: dict[str, Any] | None = None
    digest: str | None = None
    failure: dict[str, Any] | None = None
    job_id: str | None = None
    about: dict[str, Any] | None = Field(default=None, description="Tasks, columns, licence of a catalogue set.")
    suggested_tasks: tuple[dict[str, Any], ...] = Field(
        default=(), description="Tasks that a profiled set's columns suggest, as a specification takes them."
    )


class DatasetPage(Page[Dataset]):
    """The catalogue's data sets, then the registered ones."""


class Upload(Answer):
    """A file that a client sends: how much of it has arrived."""

    sha256: str = Field(examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])
    size_bytes: int = Field(examples=[1048576])
    received_bytes: int = Field(examples=[524288])
    is_whole: bool


class WorkerState(Answer):
    """A worker process: the kinds of jobs that it takes, and when it was last heard of."""

    name: str = Field(examples=["node-1/4242"])
    version: str = Field(examples=["0.1.0"])
    kinds: tuple[str, ...] = Field(examples=[["search", "extend"]])
    devices: tuple[str, ...] = Field(examples=[["ray"]])
    started_at: datetime
    beat_at: datetime
    is_alive: bool


class AuditEntry(Answer):
    """Something that somebody did, or tried to."""

    id: str
    at: datetime
    actor: str = Field(examples=["ci"], description="Name of the token.")
    owner: str = Field(examples=["ann"])
    role: str = Field(examples=["submit"])
    action: str = Field(examples=["POST"])
    target: str = Field(examples=["/v1/jobs"])
    status: int = Field(examples=[202])
    request_id: str


class AuditPage(Page[AuditEntry]):
    """What was done, newest first."""


class System(Answer):
    """What the service is doing, and with whom.

    Attributes:
        jobs: how many are in each state.
        queued: how many of each kind wait.
        workers: all that were heard of within a day.
        warnings: what keeps jobs waiting: kinds that no worker takes, workers that are gone.
    """

    version: str = Field(examples=["0.1.0"])
    jobs: dict[str, int] = Field(examples=[{"queued": 2, "running": 1}])
    queued: dict[str, int] = Field(examples=[{"search": 2}])
    workers: tuple[WorkerState, ...]
    warnings: tuple[str, ...] = ()


class Health(Answer):
    """Whether the process is up, and, for readiness, able to serve."""

    status: str = Field(examples=["ok"])
    version: str = Field(examples=["0.1.0"])
