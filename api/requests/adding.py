"""Adding tasks to what a finished search has trained: a search whose candidates start from the kept weights."""

from __future__ import annotations

from typing import Any

from api.requests.finished import finished_search
from api.requests.planning import plan_search
from api.requests.reading import validated
from api.requests.repeating import known_job
from api.requests.schemas import AddedTasks
from mtnas.data import DataAccess
from mtnas.errors import ConflictError, NotFoundError
from mtnas.search.specs.search_spec import SampledSearch
from mtnas.spec import BaseSpec, JobSpec, SpaceSpec
from mtnas.store import JobKind, JobRecord, RouteRecord, RouteRole, Store


def request_tasks(
    store: Store, job_id: str, added: AddedTasks, *, access: DataAccess, idempotency_key: str | None
) -> JobRecord:
    """Queue the job. Its specification is the search's with the new tasks behind the old ones.

    Args:
        store: where the search is.
        job_id: a search that has succeeded, or an extension of one.
        added: the new tasks, and what the new search does differently.
        access: what data may be named.
        idempotency_key: repeating a request with the same key makes no second job.

    Raises:
        NotFoundError: no such job, or no such route of it.
        ConflictError: it is no search, has not succeeded, or has not kept the route's weights.
        SpecError, DataError: the new job can never work; several problems at once come as ``ExceptionGroup``.
    """
    job = finished_search(store, job_id)
    spec = _grown(JobSpec.model_validate(job.spec), _base(store, job, added.route), added)
    if (known := known_job(store.of_owner(job.owner), spec, idempotency_key)) is not None:
        return known
    plan = plan_search(spec, store=store.of_owner(job.owner), access=access)
    made, _ = store.jobs.submit(
        JobKind.SEARCH, spec.name, plan.spec, owner=job.owner, idempotency_key=idempotency_key, extends=job.id
    )
    return made


def _grown(old: JobSpec, base: BaseSpec, added: AddedTasks) -> JobSpec:
    """The search with all tasks; what the request leaves out is as it was."""
    changes: dict[str, Any] = {
        "name": added.name or old.name,
        "tasks": (*old.tasks, *added.tasks),
        "data": added.data or old.data,
        "space": SpaceSpec(name="grown"),
        "search": added.search or (old.search if isinstance(old.search, SampledSearch) else _EVOLUTION),
        "training": added.training or old.training,
        "budget": added.budget or old.budget,
        "base": base,
    }
    document = old.model_copy(update=changes).model_dump(mode="json", exclude={"constraints"})
    return validated(document)


_EVOLUTION = SampledSearch(kind="evolution")


def _base(store: Store, job: JobRecord, digest: str | None) -> BaseSpec:
    """The route whose weights count: the one asked for, or the job's best."""
    route = store.routes.get(digest, job_id=job.id) if digest is not None else _best(store, job)
    trial = route.details.get("weights_of_trial")
    if trial is None or any(store.checkpoints.get(job.id, name) is None for name in (f"weights/{trial}", "encoding")):
        raise ConflictError(
            expected="a finalist whose weights and encoding the job has kept",
            found=f"{route.role.value} {route.label!r} without them",
            where=f"job {job.id}, route {route.digest[:12]}",
        )
    return BaseSpec(job=job.id, trial=trial, route=route.text, graph=dict(store.graphs.get(route.graph_digest)))


def _best(store: Store, job: JobRecord) -> RouteRecord:
    found = store.routes.list(job_id=job.id, role=RouteRole.BEST, limit=1)
    if not found:
        raise NotFoundError(expected="a best route", found="none", where=f"job {job.id}")
    return found[0]
