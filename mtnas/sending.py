"""Sending files to the service, piece by piece: what has arrived stays there, and whoever comes again goes on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtnas import messages as m
from mtnas.errors import DataAccessError, NotFoundError, ServiceError
from mtnas.wire import Wire, quoted

PIECE_BYTES = 8 * 2**20
_PAUSE_S = 1.0


class Sending(Wire):
    """The part of ``Client`` that sends files."""

    def upload(self, file: Path, *, listener: Callable[[m.Upload], None] = lambda upload: None) -> m.Upload:
        """Send a CSV or Parquet file; what the service has of it already is not sent again.

        Args:
            file: on this machine.
            listener: hears after every piece how much has arrived.

        Raises:
            DataAccessError: it cannot be read.
            ServiceError: the service was away for ``patience_s``.
        """
        try:
            with file.open("rb") as opened:
                sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise DataAccessError(expected="a readable file", found=str(error.strerror), where=str(file)) from error
        path, size_bytes = f"/v1/uploads/{sha256}", file.stat().st_size
        heard, upload = time.monotonic(), None
        while upload is None or not upload.is_whole:
            try:
                if upload is None:
                    upload = self._known(path, sha256, size_bytes)
                else:
                    params = {"size_bytes": size_bytes, "offset": upload.received_bytes}
                    with file.open("rb") as opened:
                        opened.seek(upload.received_bytes)
                        piece = opened.read(PIECE_BYTES)
                    upload = m.Upload.model_validate_json(
                        self._request("PUT", path, params=params, content=piece).content
                    )
            except ServiceError:
                if time.monotonic() - heard > self._patience_s:
                    raise
                time.sleep(_PAUSE_S)
                upload = None  # it says where to go on
                continue
            heard = time.monotonic()
            listener(upload)
        return upload

    def _known(self, path: str, sha256: str, size_bytes: int) -> m.Upload:
        try:
            return self._ask(m.Upload, "GET", path)
        except NotFoundError:
            return m.Upload(sha256=sha256, size_bytes=size_bytes, received_bytes=0, is_whole=False)

    def upload_dataset(
        self,
        name: str,
        files: Sequence[Path],
        *,
        options: Mapping[str, Any] | None = None,
        listener: Callable[[m.Upload], None] = lambda upload: None,
    ) -> m.Dataset:
        """Send files and register them as one data set; the answer names the job that profiles it.

        Args:
            name: what jobs will call it.
            files: CSV or Parquet files of one schema.
            options: how they are written (``delimiter``, ``encoding`` ...), as in ``data.source``.
            listener: see ``upload``.
        """
        paths = [f"upload:{self.upload(file, listener=listener).sha256}" for file in files]
        source = {"kind": "file", "paths": paths, **(options or {})}
        return self._ask(m.Dataset, "POST", "/v1/datasets", json={"name": name, "source": source})

    def delete_dataset(self, name: str) -> None:
        """Delete a registered data set and the files sent for it; refused while a job uses it."""
        self._request("DELETE", f"/v1/datasets/{quoted(name)}")
