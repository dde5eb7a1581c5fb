"""The store: one database and one folder of files, and everything that may be done with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import TracebackType

from mtnas.store.audit import Audit
from mtnas.store.database import BUSY_TIMEOUT_S, Database
from mtnas.store.files.artifacts import Artifacts
from mtnas.store.files.references import collect_garbage
from mtnas.store.gauges import Gauges
from mtnas.store.jobs.events import Events
from mtnas.store.jobs.holding import Holding
from mtnas.store.jobs.jobs import Jobs
from mtnas.store.jobs.leases import Leases
from mtnas.store.jobs.trash import Trash
from mtnas.store.migration import check_revision, migrate
from mtnas.store.records import Lease
from mtnas.store.results.checkpoints import Checkpoints
from mtnas.store.results.datasets import Datasets
from mtnas.store.results.exports import Exports
from mtnas.store.results.reports import Reports, TestReads
from mtnas.store.results.routes import Graphs, Routes
from mtnas.store.results.trials import Trials
from mtnas.store.results.uploads import Uploads
from mtnas.store.tokens import Tokens
from mtnas.store.viewer import ANYBODY, Viewer
from mtnas.store.workers import Workers


class Store:
    """The truth. Threads may share one; processes open their own, and none may be carried over a fork."""

    def __init__(self, database: Database, artifacts: Artifacts, viewer: Viewer = ANYBODY) -> None:
        self._database = database
        self.artifacts = artifacts
        self.viewer = viewer
        self.jobs = Jobs(database, viewer)
        self.trash = Trash(database, viewer)
        self.leases = Leases(database)
        self.trials = Trials(database, viewer)
        self.routes = Routes(database, viewer)
        self.graphs = Graphs(database)
        self.events = Events(database, viewer)
        self.reports = Reports(database, viewer)
        self.test_reads = TestReads(database)
        self.checkpoints = Checkpoints(database, viewer)
        self.exports = Exports(database, viewer)
        self.datasets = Datasets(database, viewer)
        self.uploads = Uploads(database, artifacts, viewer)
        self.workers = Workers(database)
        self.tokens = Tokens(database)
        self.audit = Audit(database)
        self.gauges = Gauges(database)

    @classmethod
    def open(cls, url: str, *, artifacts: Path, patience_s: float = BUSY_TIMEOUT_S) -> Store:
        """Open a store and bring its schema up to date; the file and the folder are made if they are missing.

        Args:
            url: `sqlite:////folder/mtnas.db`, or `postgresql://user@host/name`.
            artifacts: the folder of files, on a file system that all processes of this store see.
            patience_s: how long a transaction waits for its turn.

        Raises:
            SpecError: another kind of database.
            StoreError: it does not answer, or belongs to a later version.
        """
        database = Database(url, patience_s=patience_s)
        try:
            migrate(database)
            return cls(database, Artifacts(artifacts))
        except BaseException:
            database.close()
            raise

    def seen_by(self, viewer: Viewer) -> Store:
        """The same store as somebody sees it: rows of others are not there, and what is made is theirs."""
        return self if viewer == self.viewer else Store(self._database, self.artifacts, viewer)

    def of_owner(self, owner: str | None = None) -> Store:
        """The same store with one owner's rows alone, by default the viewer's own; also for whoever sees all."""
        return self.seen_by(replace(self.viewer, owner=owner or self.viewer.owner, sees_all=False))

    def hold(self, lease: Lease) -> Holding:
        """The methods of the lease's holder. Proves nothing yet; each method does."""
        return Holding(self._database, self.artifacts, lease)

    def check(self) -> None:
        """Prove that the database answers and has the schema of this version.

        Raises:
            StoreError: it does not.
        """
        check_revision(self._database)

    def collect_garbage(self, *, older_than_s: float = 86_400.0) -> tuple[str, ...]:
        """Remove files that no row names, if they were stored so many seconds ago; gives their names."""
        return collect_garbage(self._database, self.artifacts, older_than_s=older_than_s)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
