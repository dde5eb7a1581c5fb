"""A file that arrives in parts, maybe over days and through restarts: what has come is kept where nobody reads it."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mtnas.errors import ConflictError, OutOfDiskError
from mtnas.store.database import NO_ROOM


class PartialFile:
    """What has arrived so far of a file whose digest was announced.

    Args:
        path: where it is kept, on the file system of the place that it will have once it is whole.
        where: what errors call it.
    """

    def __init__(self, path: Path, *, where: str) -> None:
        self.path, self._where = path, where

    @property
    def received_bytes(self) -> int:
        """How much has arrived."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def appended(self, *, offset: int) -> Iterator[BinaryIO]:
        """The file, open to take what follows the first ``offset`` bytes; what was written lasts once the block ends.

        Raises:
            ConflictError: another number of bytes has arrived, or somebody else is sending.
        """
        with self.path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictError(
                    expected="one sender at a time", found="another request at work", where=self._where
                ) from None
            found = os.fstat(file.fileno()).st_size
            if found != offset:
                raise ConflictError(
                    expected=f"bytes from {found} on, where the last request ended (offset={found})",
                    found=f"offset={offset}",
                    where=self._where,
                )
            try:
                yield file
            finally:
                file.flush()
                os.fsync(file.fileno())

    def append(self, file: BinaryIO, data: bytes) -> None:
        """Write what has come.

        Raises:
            OutOfDiskError: there is no room.
        """
        try:
            file.write(data)
            file.flush()
        except OSError as error:
            if error.errno in NO_ROOM:
                raise OutOfDiskError(expected="room for the file", found="a full disk", where=self._where) from error
            raise

    def sha256(self) -> str:
        """Digest of what has arrived."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def discard(self) -> None:
        """Forget what has arrived."""
        self.path.unlink(missing_ok=True)
