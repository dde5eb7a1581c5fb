"""Routes and the graphs they live in: one row per (job, route), with figures that can be sorted by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, select

from mtnas.errors import NotFoundError
from mtnas.store.database import Database
from mtnas.store.records import JobHead, Json
from mtnas.store.result_records import NewRoute, RouteRecord, RouteRole
from mtnas.store.sql.insertion import insert_missing, insert_or_replace
from mtnas.store.sql.record_columns import as_record, columns_of, missing
from mtnas.store.sql.sorting import checked_figures, figures, in_order
from mtnas.store.tables import GRAPHS, ROUTES
from mtnas.store.viewer import ANYBODY, Viewer

_COLUMNS = columns_of(RouteRecord, ROUTES)
COLUMN_FIGURES = ("rank", "num_params", "macs")


class Routes:
    """The routes of a store, to read."""

    def __init__(self, database: Database, viewer: Viewer = ANYBODY) -> None:
        self._database, self._viewer = database, viewer

    def list(
        self,
        *,
        job_id: str | None = None,
        data_digest: str | None = None,
        graph_digest: str | None = None,
        role: RouteRole | None = None,
        owner: str | None = None,
        sort: str = "rank",
        limit: int | None = 100,
        offset: int = 0,
    ) -> tuple[RouteRecord, ...]:
        """Routes of one job or of all, sorted by any figure; figures of other data digests do not compare.

        Raises:
            SpecError: no route has the figure to sort by.
        """
        query = self._query(job_id=job_id, data_digest=data_digest, owner=owner)
        if graph_digest is not None:
            query = query.where(ROUTES.c.graph_digest == graph_digest)
        if role is not None:
            query = query.where(ROUTES.c.role == role)
        with self._database.read() as connection:
            query = in_order(connection, query, ROUTES, sort=sort, columns=COLUMN_FIGURES)
            return tuple(as_record(RouteRecord, row) for row in connection.execute(query.limit(limit).offset(offset)))

    def get(self, digest: str, *, job_id: str | None = None, owner: str | None = None) -> RouteRecord:
        """One route; if several jobs have it, the row that was written last.

        Raises:
            NotFoundError: there is none.
        """
        query = self._query(job_id=job_id, owner=owner).where(ROUTES.c.digest == digest)
        query = query.order_by(ROUTES.c.updated_at.desc(), ROUTES.c.job_id.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise missing("route", digest)
        return as_record(RouteRecord, row)

    def figures(
        self, *, job_id: str | None = None, data_digest: str | None = None, owner: str | None = None
    ) -> tuple[str, ...]:
        """Every name that `list` can sort these routes by."""
        query = self._query(job_id=job_id, data_digest=data_digest, owner=owner)
        with self._database.read() as connection:
            return COLUMN_FIGURES + figures(connection, query, ROUTES)

    def _query(
        self, *, job_id: str | None = None, data_digest: str | None = None, owner: str | None = None
    ) -> Select[Any]:
        query = select(*_COLUMNS).where(self._viewer.of_job(ROUTES.c.job_id if job_id is None else job_id, owner))
        if job_id is not None:
            query = query.where(ROUTES.c.job_id == job_id)
        return query if data_digest is None else query.where(ROUTES.c.data_digest == data_digest)


class Graphs:
    """The route graphs of a store, each once, by digest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, digest: str) -> Json:
        """A graph's JSON.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.read() as connection:
            graph = connection.execute(select(GRAPHS.c.graph).where(GRAPHS.c.digest == digest)).scalar_one_or_none()
        if graph is None:
            raise missing("graph", digest)
        return dict(graph)


def add_graphs(connection: Connection, graphs: Mapping[str, Json]) -> None:
    """Store graphs by digest; those that are there already stay as they are."""
    insert_missing(connection, GRAPHS, [{"digest": digest, "graph": graphs[digest]} for digest in sorted(graphs)])


def add_routes(connection: Connection, job: JobHead, routes: Sequence[NewRoute]) -> None:
    """Write routes; one that the job has already is replaced.

    Raises:
        NotFoundError: a route's graph was not stored before.
        SpecError: a figure that is no number.
    """
    needed = {route.graph_digest for route in routes}
    known = set(connection.execute(select(GRAPHS.c.digest).where(GRAPHS.c.digest.in_(needed))).scalars())
    if needed - known:
        raise NotFoundError(
            expected="graphs that were added before", found=f"unknown {sorted(needed - known)}", where=f"job {job.id}"
        )
    rows: dict[str, dict[str, Any]] = {}
    for route in routes:
        checked_figures(route.values, where=f"route {route.digest}")
        rows[route.digest] = asdict(route) | {"job_id": job.id}
    insert_or_replace(connection, ROUTES, list(rows.values()))
