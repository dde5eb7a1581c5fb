"""The one truth: jobs, trials, routes and files, in SQLite or PostgreSQL, behind plain values.

    store = Store.open("sqlite:////data/mtnas.db", artifacts=Path("/data/artifacts"))     # migrates to head
    store.check()                                                    # for /readyz; raises StoreError
    store.close()                                                    # or: with Store.open(...) as store

For everybody (`owner=None` means whoever; a row of another owner is `NotFoundError`, never a hint that it exists):

    store.jobs.submit(kind, name, spec, owner="local", idempotency_key=None, max_attempts=3) -> (JobRecord, created)
    store.jobs.get(job_id, owner=None)
    store.jobs.list(owner=None, state=None, kind=None, limit=50, before=job_id) -> newest first; cursor is the last id
    store.jobs.counts(owner=None) -> {JobState: int}
    store.jobs.request_cancel(job_id, owner=None) / request_pause(...) / resume(...) -> JobRecord
    store.trials.list(job_id, phase=None, state=None, sort="number", limit=100, offset=0); .get(job_id, number)
    store.trials.counts(job_id) -> {TrialState: int}
    store.routes.list(job_id=None, data_digest=None, graph_digest=None, role=None, owner=None, sort="rank", limit, offset)
    store.routes.get(digest, job_id=None, owner=None)                # of several jobs the newest
    store.routes.figures(job_id=None, data_digest=None, owner=None) -> names that `sort` takes
    store.graphs.get(graph_digest) -> the graph's JSON
    store.events.after(job_id, seq=0, limit=500) -> oldest first; seq is 1, 2, 3 ... without gaps
    store.reports.get(job_id) -> ReportRecord
    store.checkpoints.get(job_id, name) -> CheckpointRecord | None;  store.checkpoints.list(job_id)
    store.exports.submit(route, spec, format="module", owner, idempotency_key) -> (ExportRecord, created)   # with its job
    store.exports.get(export_id, owner=None);  store.exports.list(job_id=None, route_digest=None, owner=None, limit, offset)
    store.datasets.register(name, source, owner="local") -> (DatasetRecord, created)   # with its job of kind `profile`
    store.datasets.get(name_or_id, owner=None);  store.datasets.list(owner=None, limit, offset)
    store.test_reads.count(data_digest) -> jobs that have read this test part
    store.artifacts.put_bytes(data) / put_file(path) / put_folder(path) -> sha256 (a folder becomes one zip file)
    store.artifacts.path(sha) / open(sha) / unpack(sha, folder);  store.collect_garbage(older_than_s) -> removed names

`sort` is a figure's name, with `-` before it for descending; rows without the figure come last.

For workers:

    store.leases.claim(worker, lease_s=60.0, kinds=None) -> Lease | None
    store.leases.renew(lease, lease_s=60.0) -> LeaseSignal(cancel, pause, deadline)      # LeaseLostError: stop at once
    store.leases.reap() -> the jobs put back, paused or ended because their lease had expired
    with the holder's methods, each one transaction that first proves that the lease is still held:
    holding = store.hold(lease)
    holding.job -> JobRecord (read afresh)
    holding.start_phase(name); .progress(figures); .event(kind, payload) -> seq
    holding.add_trials([NewTrial]); .start_trials(numbers, place); .finish_trials([TrialResult]) -> numbers written now
    holding.save_checkpoint(name, artifact, payload={})
    holding.add_graphs({digest: graph JSON}); .add_routes([NewRoute]); .put_report(report)
    holding.add_export(route_digest, format) -> ExportRecord;  .finish_export(export_id, artifact, manifest)
    holding.fail_export(export_id, failure); .set_profile(dataset_id, profile, digest)
    holding.count_test_read(data_digest) -> int
    holding.finish(); .fail(kind, problem, retry=False) -> JobState; .cancelled(); .paused(); .release()

Every record is a frozen dataclass; times are aware and in UTC; NaN and infinities are stored as null and come back as None.
"""

from __future__ import annotations
