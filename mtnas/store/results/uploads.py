"""Uploads: files that an owner sends, known by the digest announced, until data sets are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from mtnas.errors import ConflictError, DataError, NotFoundError, SpecError
from mtnas.store.database import Database
from mtnas.store.files.artifacts import Artifacts
from mtnas.store.files.partial_file import PartialFile
from mtnas.store.files.references import refer_to
from mtnas.store.quotas import check_room
from mtnas.store.records import Json
from mtnas.store.result_records import UploadRecord
from mtnas.store.sql.clock import now, seconds_from_now
from mtnas.store.sql.record_columns import as_record, columns_of, found
from mtnas.store.tables import DATASET_FILES, DATASETS, UPLOADS
from mtnas.store.viewer import ANYBODY, Viewer

PREFIX = "upload:"
"""Before the digest, where a source names a file that was sent."""
_COLUMNS = columns_of(UploadRecord, UPLOADS)


class Uploads:
    """The uploads of a store, each owner's apart: that somebody else has sent the same bytes is not told."""

    def __init__(self, database: Database, artifacts: Artifacts, viewer: Viewer = ANYBODY) -> None:
        self._database, self._artifacts, self._viewer = database, artifacts, viewer

    def begin(self, sha256: str, *, size_bytes: int) -> UploadRecord:
        """Announce a file of so many bytes; again changes nothing.

        Raises:
            SpecError: not a digest.
            ConflictError: it was announced with another size.
            QuotaError: the owner has no room for it.
        """
        owner = self._viewer.owner
        try:
            self._artifacts.place_of(sha256)
        except NotFoundError as error:
            raise SpecError(expected="a sha256 (64 hexadecimal digits)", found=repr(sha256), where="sha256") from error
        with self._database.write() as connection:
            if _read(connection, owner, sha256) is None:
                check_room(connection, owner, self._viewer.quota, more_bytes=size_bytes)
                values = {"owner": owner, "sha256": sha256, "size_bytes": size_bytes}
                row = connection.execute(insert(UPLOADS).values(values).returning(*_COLUMNS)).one()
            else:
                statement = update(UPLOADS).where(*_this(owner, sha256)).values(updated_at=now())
                row = connection.execute(statement.returning(*_COLUMNS)).one()
            upload = as_record(UploadRecord, row)
        if upload.size_bytes != size_bytes:
            expected = f"the {upload.size_bytes} bytes that were announced first"
            raise ConflictError(expected=expected, found=str(size_bytes), where=f"upload {sha256}")
        return upload

    def get(self, sha256: str) -> UploadRecord:
        """One of the owner's uploads.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.read() as connection:
            upload = _read(connection, self._viewer.owner, sha256)
        return upload or found(UploadRecord, None, noun="upload", name=sha256)

    def part(self, upload: UploadRecord) -> PartialFile:
        """What has arrived of a file that is not whole."""
        name = self._artifacts.unfinished_place(f"{upload.owner}/{upload.sha256}")
        return PartialFile(name, where=f"upload {upload.sha256}")

    def received_bytes(self, upload: UploadRecord) -> int:
        """How much of it has arrived."""
        return upload.size_bytes if upload.artifact is not None else self.part(upload).received_bytes

    def complete(self, upload: UploadRecord) -> UploadRecord:
        """Keep a file that has arrived. It is whole now, or is forgotten and may be sent again.

        Raises:
            DataError: its bytes are not those that were announced.
        """
        part = self.part(upload)
        digest = part.sha256()
        if digest != upload.sha256:
            part.discard()
            raise DataError(expected=f"bytes with the sha256 {upload.sha256}", found=digest, where="body")
        self._artifacts.keep_unfinished(part.path, digest)
        with self._database.write() as connection:
            refer_to(connection, self._artifacts, digest)
            statement = update(UPLOADS).where(*_this(upload.owner, digest)).values(artifact=digest)
            row = connection.execute(statement.returning(*_COLUMNS)).one_or_none()
        return found(UploadRecord, row, noun="upload", name=digest)

    def discard(self, sha256: str) -> None:
        """Forget an upload, whole or not; data sets that were made of it keep their file.

        Raises:
            NotFoundError: there is none.
        """
        upload = self.get(sha256)
        self.part(upload).discard()
        with self._database.write() as connection:
            connection.execute(delete(UPLOADS).where(*_this(upload.owner, sha256)))

    def paths(self) -> Mapping[str, Path]:
        """Where the files lie that sources may name, by what they call them: the viewer's, of data sets and uploads."""
        seen = self._viewer.narrowed(None)
        whole = select(UPLOADS.c.artifact).where(UPLOADS.c.artifact.is_not(None))
        used = select(DATASET_FILES.c.artifact).join(DATASETS, DATASETS.c.id == DATASET_FILES.c.dataset_id)
        if seen is not None:
            whole, used = whole.where(UPLOADS.c.owner == seen), used.where(DATASETS.c.owner == seen)
        with self._database.read() as connection:
            digests = connection.execute(whole.union(used)).scalars()
            return {f"{PREFIX}{digest}": self._artifacts.place_of(digest) for digest in digests}

    def forget(self, *, older_than_s: float) -> int:
        """Forget uploads that nobody has added to for so long, so that files which no data set needs become garbage."""
        with self._database.write() as connection:
            old = UPLOADS.c.updated_at < seconds_from_now(-older_than_s)
            return connection.execute(delete(UPLOADS).where(old)).rowcount


def files_of(source: Json) -> tuple[str, ...]:
    """Digests of the sent files that a source names, each once."""
    paths = [*source.get("paths", ()), *(other["path"] for other in source.get("join", ()))]
    return tuple(dict.fromkeys(path.removeprefix(PREFIX) for path in paths if path.startswith(PREFIX)))


def use_files(connection: Connection, *, dataset_id: str, owner: str, source: Json) -> None:
    """Let a data set have the sent files that its source names, for as long as it is there.

    Raises:
        DataError: its owner has sent no such file, or not all of it.
    """
    connection.execute(delete(DATASET_FILES).where(DATASET_FILES.c.dataset_id == dataset_id))
    for digest in files_of(source):
        sent = select(UPLOADS.c.artifact).where(*_this(owner, digest), UPLOADS.c.artifact.is_not(None))
        used = select(DATASET_FILES.c.artifact).join(DATASETS, DATASETS.c.id == DATASET_FILES.c.dataset_id)
        used = used.where(DATASETS.c.owner == owner, DATASET_FILES.c.artifact == digest)
        if connection.execute(sent.union(used)).first() is None:
            raise DataError(expected="files that were sent before", found=f"{PREFIX}{digest}", where="source.paths")
        connection.execute(insert(DATASET_FILES).values(dataset_id=dataset_id, artifact=digest))


def let_files_go(connection: Connection, *, dataset_id: str, owner: str) -> None:
    """Undo ``use_files`` for a data set that is deleted; what no other set of the owner needs is no upload any more."""
    digests = list(
        connection.execute(select(DATASET_FILES.c.artifact).where(DATASET_FILES.c.dataset_id == dataset_id)).scalars()
    )
    connection.execute(delete(DATASET_FILES).where(DATASET_FILES.c.dataset_id == dataset_id))
    needed = select(DATASET_FILES.c.artifact).join(DATASETS, DATASETS.c.id == DATASET_FILES.c.dataset_id)
    needed = needed.where(DATASETS.c.owner == owner)
    gone = (UPLOADS.c.owner == owner, UPLOADS.c.artifact.in_(digests), UPLOADS.c.artifact.not_in(needed))
    connection.execute(delete(UPLOADS).where(*gone))


def _this(owner: str, sha256: str) -> tuple[ColumnElement[bool], ...]:
    return UPLOADS.c.owner == owner, UPLOADS.c.sha256 == sha256


def _read(connection: Connection, owner: str, sha256: str) -> UploadRecord | None:
    row = connection.execute(select(*_COLUMNS).where(*_this(owner, sha256))).one_or_none()
    return None if row is None else as_record(UploadRecord, row)
