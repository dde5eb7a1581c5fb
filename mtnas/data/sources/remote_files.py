"""Files in object stores, through fsspec: found by their address, copied into the cache when they are to be read.

Which addresses may be read is said by prefixes (``DataAccess.urls``), as roots say it of folders; without one, none.
Credentials are the process's own (environment, instance role), never part of a request or of a message.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mtnas.data.access import DataAccess
from mtnas.data.digest import digest_json
from mtnas.errors import DataAccessError

_WILD = "*?["
_CHECKSUMS = ("ETag", "etag", "md5Hash", "md5", "crc32c", "generation")
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One file in an object store.

    Attributes:
        url: its address.
        below: its path below the folder or the fixed part of the pattern that the request named.
        version: changes when its content does (checksum, entity tag, or size and time, as the store has them).
    """

    url: str
    below: str
    version: str

    @property
    def digest(self) -> str:
        """Stands for its content without reading it."""
        return digest_json({"url": self.url, "version": self.version})


def is_remote(path: str) -> bool:
    """Whether a request's path is an address."""
    return "://" in path


def check_allowed(url: str, *, access: DataAccess, where: str) -> None:
    """Refuse an address below none of the prefixes that this installation allows.

    Raises:
        DataAccessError: what is allowed is not told, only that this is not.
    """
    scheme, _, rest = url.partition("://")
    plain = unquote(rest)
    strange = "@" in plain.split("/")[0] or ".." in plain.split("/") or "\\" in plain or "::" in url or "\0" in plain
    prefixes = [prefix.rstrip("/") for prefix in access.urls]
    inside = any(url == prefix or url.startswith(f"{prefix}/") for prefix in prefixes)
    if strange or not inside or not scheme:
        expected = "an address below the data addresses (MTNAS_DATA_URLS)"
        raise DataAccessError(expected=expected, found=repr(url), where=where)


def find_remote(url: str, *, suffixes: tuple[str, ...], access: DataAccess, where: str) -> tuple[RemoteFile, ...]:
    """The files that an address names: itself, all tables below it, or those that match its pattern; in name order.

    Raises:
        DataAccessError: it is not allowed, names nothing, or cannot be reached.
    """
    check_allowed(url, access=access, where=where)
    with _as_access_errors(url, where):
        store, path = _opened(url)
        if any(character in path for character in _WILD):
            base = path[: min(path.index(character) for character in _WILD if character in path)].rpartition("/")[0]
            names = [name for name in store.glob(path) if store.isfile(name)]
        elif store.isfile(path):
            base, names = path.rpartition("/")[0], [path]
        else:
            base, names = path.rstrip("/"), [name for name in store.find(path) if name.lower().endswith(suffixes)]
        scheme = url.partition("://")[0]
        addresses = [(name if is_remote(name) else f"{scheme}://{name.lstrip('/')}", name) for name in sorted(names)]
        found = [(address, _below(name, base), _version(store, name)) for address, name in addresses]
    if not found:
        raise DataAccessError(expected="files there", found=repr(url), where=where)
    for address, _, _ in found:
        check_allowed(address, access=access, where=where)
    return tuple(RemoteFile(url=address, below=below, version=version) for address, below, version in found)


def copied(file: RemoteFile, *, access: DataAccess, where: str) -> Path:
    """The file in the cache, copied there if it is not. Two processes may do this at once.

    Raises:
        DataAccessError: it cannot be read any more.
    """
    place = access.cache / "remote" / file.digest / file.url.rpartition("/")[2]
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f".{uuid.uuid4().hex}")
        try:
            with _as_access_errors(file.url, where):
                store, path = _opened(file.url)
                with store.open(path, "rb") as source, draft.open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 22)
                    target.flush()
                    os.fsync(target.fileno())
            draft.rename(place)
        finally:
            draft.unlink(missing_ok=True)
    os.utime(place.parent)
    return place


def evict_copies(cache: Path, *, unused_s: float) -> tuple[str, ...]:
    """Delete copies that nobody has asked for in so many seconds; gives their digests."""
    gone = []
    for folder in (cache / "remote").glob("*"):
        with suppress(FileNotFoundError):  # somebody else evicts, too
            if time.time() - folder.stat().st_mtime >= unused_s:
                shutil.rmtree(folder, ignore_errors=True)
                gone.append(folder.name)
    return tuple(gone)


def _opened(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise DataAccessError(expected="fsspec (pip install mtnas[remote])", found="not there", where=url) from error
    store, path = fsspec.core.url_to_fs(url)
    return store, str(path)


def _below(name: str, base: str) -> str:
    return name.lstrip("/").removeprefix(base.lstrip("/")).lstrip("/")


def _version(store: Any, name: str) -> str:
    known: dict[str, Any] = store.info(name)
    marks = {key: str(known[key]) for key in _CHECKSUMS if key in known}
    return digest_json(
        {"size": known.get("size")} | (marks or {key: str(known[key]) for key in _TIMES if key in known})
    )


@contextmanager
def _as_access_errors(url: str, where: str) -> Iterator[None]:
    """Stores raise errors of their own libraries, whose texts may hold addresses with keys: only their kind is told."""
    try:
        yield
    except DataAccessError:
        raise
    except Exception as error:
        found = f"{type(error).__name__} for {url!r}"
        raise DataAccessError(expected="an address that can be read", found=found, where=where) from None
