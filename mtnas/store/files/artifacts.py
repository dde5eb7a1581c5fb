"""Files named by the sha256 of their bytes. A file under its name is whole: it was written aside and then renamed."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mtnas.errors import NotFoundError
from mtnas.store.sql.record_columns import missing

_CHUNK_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Artifacts:
    """The files below one folder. Processes may share it; all of them must see one file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unfinished = folder / "unfinished"
        self._unfinished.mkdir(parents=True, exist_ok=True)

    def put_bytes(self, data: bytes) -> str:
        """Store bytes; gives their sha256, by which `path` and `open` find them."""
        return self._put(BytesIO(data))

    def put_folder(self, folder: Path) -> str:
        """Store a folder as one zip file, the same bytes for the same contents. Links are followed.

        Raises:
            NotFoundError: no such folder.
        """
        if not folder.is_dir():
            raise NotFoundError(expected="a folder", found="none", where=str(folder))
        with self._aside() as (path, file):
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for member in sorted(item for item in folder.rglob("*") if item.is_file()):
                    entry = zipfile.ZipInfo(member.relative_to(folder).as_posix(), date_time=(1980, 1, 1, 0, 0, 0))
                    entry.external_attr = 0o644 << 16
                    with member.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                        while chunk := source.read(_CHUNK_BYTES):
                            target.write(chunk)
            file.flush()
            with path.open("rb") as written:
                sha256 = hashlib.file_digest(written, "sha256").hexdigest()
            self._keep(path, file, sha256)
        return sha256

    def path(self, sha256: str) -> Path:
        """Where the file with that sha256 is.

        Raises:
            NotFoundError: there is none.
        """
        path = self.place_of(sha256)
        if not path.is_file():
            raise missing("artifact", sha256)
        return path

    def open(self, sha256: str) -> BinaryIO:
        """The file with that sha256, opened to be read.

        Raises:
            NotFoundError: there is none.
        """
        return self.path(sha256).open("rb")

    def place_of(self, sha256: str) -> Path:
        """Where a file of that name belongs, whether it is there or not.

        Raises:
            NotFoundError: not a sha256, so nothing can have that name.
        """
        if not _SHA256.fullmatch(sha256):
            raise missing("artifact", sha256)
        return self.folder / sha256[:2] / sha256

    def stored(self) -> Iterator[Path]:
        """Every whole file."""
        for path in self.folder.glob("[0-9a-f][0-9a-f]/*"):
            if _SHA256.fullmatch(path.name):
                yield path

    def unfinished(self) -> Iterator[Path]:
        """Files that somebody is writing, or was when it died."""
        yield from self._unfinished.iterdir()

    def unfinished_place(self, name: str) -> Path:
        """Where a file is kept that arrives in parts, until it is whole or has not grown for long."""
        return self._unfinished / f"part-{hashlib.sha256(name.encode()).hexdigest()}"

    def keep_unfinished(self, path: Path, sha256: str) -> None:
        """Give such a file its name; its bytes have that digest."""
        with path.open("rb+") as file:
            self._keep(path, file, sha256)

    def _put(self, source: BinaryIO) -> str:
        digest = hashlib.sha256()
        with self._aside() as (path, file):
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
            self._keep(path, file, digest.hexdigest())
        return digest.hexdigest()

    @contextmanager
    def _aside(self) -> Iterator[tuple[Path, BinaryIO]]:
        path = self._unfinished / secrets.token_hex(16)
        try:
            with path.open("xb") as file:
                yield path, file
        finally:
            path.unlink(missing_ok=True)

    def _keep(self, path: Path, file: BinaryIO, sha256: str) -> None:
        """Make the bytes durable, then give them their name, then make the name durable.

        A file that has the name already is replaced by its equal, so that its age, which garbage collection goes by,
        starts anew.
        """
        file.flush()
        os.fsync(file.fileno())
        place = self.place_of(sha256)
        if not place.parent.is_dir():
            place.parent.mkdir(exist_ok=True)
            _sync_folder(self.folder)
        path.replace(place)
        _sync_folder(place.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
