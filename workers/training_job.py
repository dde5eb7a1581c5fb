"""Jobs that train: searches and exports, on whatever backend the worker has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from mtnas import trials
from mtnas.data import DataAccess
from mtnas.routes import Route, RouteGraph
from mtnas.run import Executor, run_job
from mtnas.run.earlier_job import Earlier
from mtnas.run.export_on_demand import run_export
from mtnas.spec import JobSpec, ResourcesSpec
from mtnas.store import Holding, Store
from workers.settings import Settings
from workers.store_journal import StoreJournal
from workers.stored_base import base_system
from workers.stored_earlier import earlier_job

Check = Callable[[], None]


class Backend(Protocol):
    """Where packs can run."""

    def device(self, asked: ResourcesSpec) -> str:
        """``cpu`` or ``cuda``: where packs of a job will run that asks for this.

        Raises:
            SpecError: there is no such device and there will be none.
        """
        ...

    def executor(self, resources: ResourcesSpec, *, device: str, check: Check) -> AbstractContextManager[Executor]:
        """An executor for one job, which may use so much and calls ``check`` often."""
        ...

    def rest(self) -> None:
        """There is no job: leave to others what they could use."""
        ...


class Training:
    """Runs searches and exports.

    Args:
        settings: where data may be read.
        store: where jobs are written down.
        backend: where their packs run.
    """

    def __init__(self, settings: Settings, store: Store, backend: Backend) -> None:
        self._settings, self._store, self._backend = settings, store, backend

    def search(self, holding: Holding, check: Check) -> None:
        """A job of kind ``search``."""
        self._run(holding, check, earlier=None)

    def extend(self, holding: Holding, check: Check) -> None:
        """A job of kind ``extend``; its specification is the search's with more budget.

        Raises:
            NotFoundError: the job that it extends was deleted.
        """
        job = holding.job
        self._run(holding, check, earlier=earlier_job(self._store.of_owner(job.owner), job))

    def _run(self, holding: Holding, check: Check, *, earlier: Earlier | None) -> None:
        job = holding.job
        spec, own = JobSpec.model_validate(job.spec), self._store.of_owner(job.owner)
        device = self._backend.device(spec.resources)
        with self._backend.executor(spec.resources, device=device, check=check) as executor:
            run_job(
                spec,
                access=data_access(self._settings, own),
                executor=executor,
                journal=StoreJournal(self._store, holding, check),
                device=device,
                earlier=earlier,
                base=base_system(own, spec),
            )

    def export(self, holding: Holding, check: Check) -> None:
        """A job of kind ``export``; its specification holds that of the search and the route."""
        job = holding.job
        request, own = job.spec, self._store.of_owner(job.owner)
        spec, found = JobSpec.model_validate(request["job"]), request["route"]
        told = found["details"].get("settings")
        device = self._backend.device(spec.resources)
        with self._backend.executor(spec.resources, device=device, check=check) as executor:
            run_export(
                spec,
                graph=RouteGraph.from_json(found["graph"]),
                route=Route.parse(found["text"]),
                label=found["label"],
                lr=found["details"].get("lr"),
                like=None if told is None else trials.Settings(**told),
                access=data_access(self._settings, own),
                executor=executor,
                journal=StoreJournal(self._store, holding, check),
                device=device,
                base=base_system(own, spec),
            )


def data_access(settings: Settings, store: Store) -> DataAccess:
    """What a job may read: files below the roots, and every data set that the store shows by its name or id."""
    records = store.datasets.list(limit=1_000_000)
    return DataAccess(
        roots=settings.data_roots,
        urls=settings.data_urls,
        cache=settings.cache,
        uploaded=store.uploads.paths(),
        registered={name: record.source for record in records for name in (record.name, record.id)},
    )
