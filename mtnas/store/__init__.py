"""The one truth: jobs, trials, routes and files, in SQLite or PostgreSQL, behind plain values.

    store = Store.open("sqlite:////data/mtnas.db", artifacts=Path("/data/artifacts"))     # migrates to head
    store.check()                                                    # for readiness probes; raises StoreError
    store.close()                                                    # or: with Store.open(...) as store

    store.seen_by(Viewer(owner="ann", sees_all=False))               # the same store as Ann sees it: hers alone

For everybody (`owner=None` means whoever the viewer sees, and in making things the viewer; a row of another owner is
`NotFoundError`, never a hint that it exists; parameters after the first ones are keyword-only):

    store.jobs.submit(kind, name, spec, owner=None, idempotency_key=None, max_attempts=3) -> (JobRecord, created)
    store.jobs.get(job_id, owner=None)
    store.jobs.list(owner=None, state=None, kind=None, limit=50, before=None)    # newest first; cursor: the last id
    store.jobs.counts(owner=None) -> {JobState: int}
    store.jobs.request_cancel(job_id, owner=None) / request_pause(...) / resume(...) -> JobRecord
    store.trials.list(job_id, phase=None, state=None, sort="number", limit=100, offset=0)
    store.trials.get(job_id, number);  store.trials.counts(job_id, phase=None) -> {TrialState: int}
    store.routes.list(job_id=None, data_digest=None, graph_digest=None, role=None, owner=None, sort="rank", limit=100,
                      offset=0)
    store.routes.get(digest, job_id=None, owner=None)                # of several jobs the newest
    store.routes.figures(job_id=None, data_digest=None, owner=None) -> names that `sort` takes
    store.graphs.get(graph_digest) -> the graph's JSON
    store.events.after(job_id, seq=0, limit=500)                     # oldest first; seq is 1, 2, 3 ... without gaps
    store.reports.get(job_id) -> ReportRecord
    store.checkpoints.get(job_id, name) -> CheckpointRecord | None;  store.checkpoints.list(job_id)
    store.exports.submit(route, spec, format="module", owner=None, idempotency_key=None)
        -> (ExportRecord, created)                                   # queues its job of kind `export`: record.job_id
    store.exports.get(export_id, owner=None)
    store.exports.list(job_id=None, route_digest=None, owner=None, limit=100, offset=0)
    store.datasets.register(name, source, owner=None)
        -> (DatasetRecord, created)                                  # queues its job of kind `profile`: record.job_id
    store.datasets.get(name_or_id, owner=None);  store.datasets.list(owner=None, limit=100, offset=0)
    store.datasets.delete(name_or_id, owner=None)                    # refused while jobs use it
    store.uploads.begin(sha256, size_bytes=...) -> UploadRecord; .get(sha256); .part(upload); .complete(upload)
    store.uploads.paths() -> {"upload:SHA256": path}                 # what sources of data sets may name
    store.test_reads.count(data_digest) -> jobs that have read this test part
    store.artifacts.put_bytes(data) / put_folder(path) -> sha256    # a folder becomes one zip file
    store.artifacts.path(sha256) / open(sha256)
    store.collect_garbage(older_than_s=86400.0) -> names of the removed files

`sort` is a figure's name, with `-` before it for descending; rows without the figure come last. `limit=None` (trials
and routes) gives all.

For workers:

    store.leases.claim(worker, lease_s=60.0, kinds=None) -> Lease | None
    store.leases.renew(lease, lease_s=60.0) -> LeaseSignal(cancel, pause, deadline)      # LeaseLostError: stop at once
    store.leases.reap() -> the jobs put back, paused or ended because their lease had lapsed
    holding = store.hold(lease)          # each method is one transaction that first proves that the lease is held
    holding.job -> JobRecord (read afresh);  holding.lease
    holding.start_phase(name); .progress(figures); .event(kind, payload) -> seq
    holding.add_trials([NewTrial]); .start_trials(numbers, place); .finish_trials([TrialResult]) -> numbers ended now
    holding.save_checkpoint(name, artifact, payload=None)
    holding.add_graphs({digest: graph JSON}); .add_routes([NewRoute]); .put_report(report)
    holding.add_export(route_digest, format_name="module") -> ExportRecord
    holding.finish_export(export_id, artifact, manifest); .fail_export(export_id, failure)
    holding.set_profile(dataset_id, profile, digest); .count_test_read(data_digest) -> int
    holding.finish(); .fail(kind, problem, retry=False) -> JobState; .cancelled()
    holding.release() -> JobState        # gives the job back: cancelled or paused if asked for, else queued

When a job goes back to the queue (or is paused), its running trials are deleted and finished ones stay; when it ends,
running trials and pending exports or profiles become failed, with the reason. Every record is a frozen dataclass;
times are aware and in UTC; NaN and infinities are stored as null and come back as None.
"""

from mtnas.store.files.artifacts import Artifacts
from mtnas.store.jobs.holding import Holding
from mtnas.store.quotas import Quota
from mtnas.store.records import (
    AuditRecord,
    FailureKind,
    JobHead,
    JobKind,
    JobRecord,
    JobState,
    Lease,
    LeaseSignal,
    Pulse,
    TokenRecord,
    TokenRole,
    WorkerRecord,
)
from mtnas.store.result_records import (
    CheckpointRecord,
    DatasetRecord,
    EventRecord,
    ExportRecord,
    NewRoute,
    NewTrial,
    ReportRecord,
    RouteRecord,
    RouteRole,
    TrialRecord,
    TrialResult,
    UploadRecord,
    WorkState,
)
from mtnas.store.store import Store
from mtnas.store.viewer import ANYBODY, Viewer

__all__ = [
    "ANYBODY",
    "Artifacts",
    "AuditRecord",
    "CheckpointRecord",
    "DatasetRecord",
    "EventRecord",
    "ExportRecord",
    "FailureKind",
    "Holding",
    "JobHead",
    "JobKind",
    "JobRecord",
    "JobState",
    "Lease",
    "LeaseSignal",
    "NewRoute",
    "NewTrial",
    "Pulse",
    "Quota",
    "ReportRecord",
    "RouteRecord",
    "RouteRole",
    "Store",
    "TokenRecord",
    "TokenRole",
    "TrialRecord",
    "TrialResult",
    "UploadRecord",
    "Viewer",
    "WorkState",
    "WorkerRecord",
]
