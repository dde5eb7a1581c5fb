"""Python client of the REST API: typed answers in, mtnas errors out.

    client = Client("http://127.0.0.1:8000")
    job = client.submit(spec)
    for event in client.events(job.id):
        print(event.kind, event.payload)
    best = client.routes(job.id, limit=1).items[0]

Event streams are taken up again when a connection is lost.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from mtnas import messages as m
from mtnas.errors import ExportError
from mtnas.sending import Sending
from mtnas.wire import quoted

_RECONNECT_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Client(Sending):
    """Talks to one service.

    Args:
        url: where the service listens.
        token: bearer token, where the service asks for one.
        timeout_s: seconds to wait for an answer; event streams wait for ever.
        patience_s: seconds for which event streams look for a service that is gone; restarts take less.
        http: a ready connection pool, instead of ``url``, ``token`` and ``timeout_s``.

    Raises (every method):
        MtnasError: what the service's problem document says, as the class of ``mtnas.errors`` that it names.
        ServiceError: the service could not be reached.
    """

    # --- jobs ---------------------------------------------------------------------------------------------------

    def submit(self, spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> m.Job:
        """Submit a search job. Repeating a call with the same key makes no second job."""
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._ask(m.Job, "POST", "/v1/jobs", json=dict(spec), headers=headers)

    def validate(self, spec: Mapping[str, Any]) -> m.Plan:
        """What the specification would do, without a job being made."""
        return self._ask(m.Plan, "POST", "/v1/jobs", json=dict(spec), params={"validate_only": "true"})

    def jobs(
        self,
        *,
        state: str | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> m.JobPage:
        """Jobs, newest first; with a part of their names, or labels that they carry, only those."""
        label = [f"{key}:{value}" for key, value in (labels or {}).items()] or None
        params = {"state": state, "name": name, "label": label, "limit": limit, "cursor": cursor}
        return self._ask(m.JobPage, "GET", "/v1/jobs", params=params)

    def annotate(self, job_id: str, *, labels: Mapping[str, str] | None = None, note: str | None = None) -> m.Job:
        """Replace a job's labels or its note; what is ``None`` stays as it is."""
        body = {"labels": None if labels is None else dict(labels), "note": note}
        return self._ask(m.Job, "PATCH", f"/v1/jobs/{quoted(job_id)}", json=body)

    def restore(self, job_id: str) -> m.Job:
        """Bring a deleted job back, as long as it was not purged."""
        return self._ask(m.Job, "POST", f"/v1/jobs/{quoted(job_id)}:restore")

    def job(self, job_id: str) -> m.Job:
        """One job."""
        return self._ask(m.Job, "GET", f"/v1/jobs/{quoted(job_id)}")

    def cancel(self, job_id: str) -> m.Job:
        """Ask for a job to stop; one that nobody works on stops at once."""
        return self._ask(m.Job, "POST", f"/v1/jobs/{quoted(job_id)}:cancel")

    def delete(self, job_id: str, *, purge: bool = False) -> None:
        """Delete a job that has ended, with its trials, events, report and exports; ``purge``: for good, at once."""
        params = {"purge": "true"} if purge else None
        self._request("DELETE", f"/v1/jobs/{quoted(job_id)}", params=params)

    def pause(self, job_id: str) -> m.Job:
        """Ask a running job to rest; it gives its worker back with the next heartbeat."""
        return self._ask(m.Job, "POST", f"/v1/jobs/{quoted(job_id)}:pause")

    def resume(self, job_id: str) -> m.Job:
        """Queue a paused job again."""
        return self._ask(m.Job, "POST", f"/v1/jobs/{quoted(job_id)}:resume")

    def retry(self, job_id: str) -> m.Job:
        """Queue a failed or cancelled job again; it goes on from what it has finished."""
        return self._ask(m.Job, "POST", f"/v1/jobs/{quoted(job_id)}:retry")

    def report_found(self, job_id: str, *, idempotency_key: str | None = None) -> m.Job:
        """Report on what a failed or cancelled search has found, as a new job that searches no further."""
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._ask(m.Job, "POST", f"/v1/jobs/{quoted(job_id)}:report", headers=headers)

    def extend(self, job_id: str, budget: Mapping[str, Any], *, idempotency_key: str | None = None) -> m.Job:
        """Go on with a search that has ended, as a new job; ``budget`` holds the limits to set."""
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        body = {"budget": dict(budget)}
        return self._ask(m.Job, "POST", f"/v1/jobs/{quoted(job_id)}:extend", json=body, headers=headers)

    def add_tasks(self, job_id: str, added: Mapping[str, Any], *, idempotency_key: str | None = None) -> m.Job:
        """Add tasks to what a finished search has trained, as a new job.

        Args:
            job_id: the search.
            added: ``tasks``, and what the new search does differently (``route``, ``data``, ``search``, ``budget``).
            idempotency_key: the same key makes no second job.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._ask(m.Job, "POST", f"/v1/jobs/{quoted(job_id)}/tasks", json=dict(added), headers=headers)

    def trials(
        self, job_id: str, *, phase: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> m.TrialPage:
        """Trials of a job, by number."""
        params = {"phase": phase, "limit": limit, "cursor": cursor}
        return self._ask(m.TrialPage, "GET", f"/v1/jobs/{quoted(job_id)}/trials", params=params)

    def report(self, job_id: str) -> m.Report:
        """The answer of a job."""
        return self._ask(m.Report, "GET", f"/v1/jobs/{quoted(job_id)}/report")

    def events(self, job_id: str, *, after: int = 0) -> Iterator[m.Event]:
        """Events of a job as they happen, until it has ended; lost connections are taken up again.

        Args:
            job_id: the job.
            after: the last event already seen.
        """
        failures = 0
        lost_at: float | None = None
        while True:
            try:
                with self._stream(job_id, after) as messages:
                    failures, lost_at = 0, None
                    for message in messages:
                        if message.event == "end":
                            return
                        event = m.Event.model_validate_json(message.data)
                        after = event.seq
                        yield event
            except httpx.TransportError as error:
                now = time.monotonic()
                lost_at = now if lost_at is None else lost_at
                if now - lost_at >= self._patience_s:
                    raise self._unreachable(error) from error
            time.sleep(_RECONNECT_S[min(failures, len(_RECONNECT_S) - 1)])
            failures += 1

    def wait(self, job_id: str) -> m.Job:
        """Wait until a job has ended, however it did."""
        for _ in self.events(job_id):
            pass
        return self.job(job_id)

    # --- routes and exports -------------------------------------------------------------------------------------

    def routes(
        self, job_id: str | None = None, *, sort: str = "rank", limit: int = 20, cursor: str | None = None
    ) -> m.RoutePage:
        """Routes of a job, or of all jobs, by a figure (``-`` before its name: largest first)."""
        path = "/v1/routes" if job_id is None else f"/v1/jobs/{quoted(job_id)}/routes"
        return self._ask(m.RoutePage, "GET", path, params={"sort": sort, "limit": limit, "cursor": cursor})

    def front(self, job_id: str) -> m.Front:
        """The routes of a job that no other beats on every objective, and their hypervolume."""
        return self._ask(m.Front, "GET", f"/v1/jobs/{quoted(job_id)}/front")

    def route(self, digest: str) -> m.Route:
        """One route, with the figures of the newest job that has it."""
        return self._ask(m.Route, "GET", f"/v1/routes/{quoted(digest)}")

    def drawing(self, digest: str) -> str:
        """A route as an SVG picture."""
        return self._request("GET", f"/v1/routes/{quoted(digest)}", params={"format": "svg"}).text

    def exports(self, route_digest: str) -> m.ExportPage:
        """Exports of a route, newest first."""
        return self._ask(m.ExportPage, "GET", f"/v1/routes/{quoted(route_digest)}/exports")

    def export(self, route_digest: str) -> m.Export:
        """Ask for a route to be trained and exported; the answer names the job that does it."""
        return self._ask(m.Export, "POST", f"/v1/routes/{quoted(route_digest)}/exports", json={})

    def export_state(self, export_id: str) -> m.Export:
        """One export."""
        return self._ask(m.Export, "GET", f"/v1/exports/{quoted(export_id)}")

    def download(self, export_id: str, folder: Path) -> Path:
        """Unpack a ready export into a folder, after comparing its digest.

        Raises:
            ExportError: the bytes are not those the service announced.
        """
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with tempfile.TemporaryFile() as file:
            with self._open(f"/v1/exports/{quoted(export_id)}/download") as response:
                for chunk in response.iter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
            announced = response.headers["etag"].strip('"')
            if digest.hexdigest() != announced:
                raise ExportError(expected=f"sha256 {announced}", found=digest.hexdigest(), where=f"export {export_id}")
            with zipfile.ZipFile(file) as archive:
                archive.extractall(folder)
        return folder

    # --- what there is ------------------------------------------------------------------------------------------

    def search_spaces(self) -> tuple[m.SearchSpaceEntry, ...]:
        """The catalogue of search spaces."""
        return self._ask(m.SearchSpacePage, "GET", "/v1/search-spaces").items

    def datasets(self) -> tuple[m.Dataset, ...]:
        """The data sets of the catalogue and the registered ones."""
        return self._ask(m.DatasetPage, "GET", "/v1/datasets").items

    def dataset(self, name: str) -> m.Dataset:
        """One data set with its profile."""
        return self._ask(m.Dataset, "GET", f"/v1/datasets/{quoted(name)}")

    def register_dataset(self, name: str, source: Mapping[str, Any]) -> m.Dataset:
        """Register data below a data root under a name; the answer names the job that profiles it."""
        return self._ask(m.Dataset, "POST", "/v1/datasets", json={"name": name, "source": dict(source)})

    def system(self) -> m.System:
        """What waits, what runs, and which workers are there."""
        return self._ask(m.System, "GET", "/v1/system")

    def ready(self) -> m.Health:
        """Whether the service can serve.

        Raises:
            ServiceError: it cannot, or cannot be reached.
        """
        return self._ask(m.Health, "GET", "/readyz")
