"""The files that a path of a source names: one file, all tables of a folder, or those that match a pattern."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from mtnas.data.access import DataAccess
from mtnas.data.sources.remote_files import RemoteFile, copied, find_remote, is_remote
from mtnas.errors import DataAccessError

_SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".csv.gz", ".tsv.gz", ".parquet.gz")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_MOST_FILES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A file of a source.

    Attributes:
        path: where it is, below a root.
        where: the place of its name in the request.
        partition: the columns that folders above it give a value to.
    """

    path: Path
    where: str
    partition: Mapping[str, str | None] = field(default_factory=dict)


def locate(path: str, *, access: DataAccess, where: str) -> tuple[Located, ...]:
    """The files that ``path`` names, in the order of their names.

    Raises:
        DataAccessError: there is none below the roots.
    """
    if is_remote(path):
        return tuple(
            _located_remote(file, access=access, where=where)
            for file in find_remote(path, suffixes=_SUFFIXES, access=access, where=where)
        )
    if any(character in path for character in "*?["):
        found = _matching(path, access=access, where=where)
        if not found:
            raise DataAccessError(expected="files that match below the data roots", found=repr(path), where=where)
        return tuple(_located(file, above, access=access, where=where) for file, above in found)
    folder = access.resolve_folder(path)
    if folder is None:
        return (Located(path=access.resolve(path, where=where), where=where),)
    files = sorted(_tables_in(folder))
    if not files:
        raise DataAccessError(
            expected=f"a folder with tables ({', '.join(_SUFFIXES[:4])})", found=repr(path), where=where
        )
    return tuple(_located(file, folder, access=access, where=where) for file in files)


def _matching(pattern: str, *, access: DataAccess, where: str) -> list[tuple[Path, Path]]:
    """Files below a root that match, and the root."""
    found: dict[Path, Path] = {}
    for root in access.roots:
        base = root.resolve()
        relative = Path(pattern)
        if relative.is_absolute():
            if not relative.is_relative_to(base):
                continue
            relative = relative.relative_to(base)
        if ".." in relative.parts:
            continue
        matching = sorted(islice(base.glob(str(relative)), _MOST_FILES + 1))
        if len(matching) > _MOST_FILES:
            raise DataAccessError(expected=f"at most {_MOST_FILES} files", found=f"more, by {pattern!r}", where=where)
        for file in matching:
            if file.is_file() and not _is_hidden(file.relative_to(base)):
                found.setdefault(file, base)
        if found:
            break  # as with single paths, the first root that has it
    return list(found.items())


def _tables_in(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        named = file.name.lower().endswith(_SUFFIXES)
        if named and not _is_hidden(file.relative_to(folder)) and file.is_file():
            yield file


def _is_hidden(path: Path) -> bool:
    """Whether writers of folders mean it for themselves: ``_SUCCESS``, ``.part.crc``."""
    return any(part.startswith((".", "_")) for part in path.parts)


def _located_remote(file: RemoteFile, *, access: DataAccess, where: str) -> Located:
    path = copied(file, access=access, where=where)
    return Located(path=path, where=where, partition=_partition(Path(file.below).parts[:-1]))


def _partition(folders: Sequence[str]) -> dict[str, str | None]:
    partition: dict[str, str | None] = {}
    for part in folders:
        name, equals, value = part.partition("=")
        if equals:
            partition[unquote(name)] = None if value == _NO_VALUE else unquote(value)
    return partition


def _located(file: Path, above: Path, *, access: DataAccess, where: str) -> Located:
    partition = _partition(file.relative_to(above).parts[:-1])
    try:
        path = access.resolve(str(file), where=where)
    except DataAccessError as error:  # a link that leads out; its name as the request could have said it
        named = repr(str(file.relative_to(above)))
        raise DataAccessError(expected=error.expected, found=named, where=where) from None
    return Located(path=path, where=where, partition=partition)
