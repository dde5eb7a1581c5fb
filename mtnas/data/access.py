"""Which files and registered sets a job may read, and where encoded data is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtnas.errors import DataAccessError


def data_dir_from_environment() -> Path | None:
    """The folder of public data sets that the user already has: ``MTNAS_DATA_DIR``, if set."""
    value = os.environ.get("MTNAS_DATA_DIR")
    return Path(value) if value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataAccess:
    """What data a process may touch.

    Attributes:
        roots: folders below which data files may lie.
        urls: prefixes of addresses below which data files may lie, such as ``s3://bucket/folder``.
        cache: folder for encoded data and downloaded public sets; it is made when first written to.
        registered: sources (as JSON) of the registered data sets, by name and by id.
        uploaded: files that somebody has sent, by what sources call them (``upload:`` and their sha256).
        data_dir: where public sets may lie already; by default ``MTNAS_DATA_DIR``.
    """

    roots: tuple[Path, ...] = ()
    urls: tuple[str, ...] = ()
    cache: Path
    registered: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    uploaded: Mapping[str, Path] = field(default_factory=dict)
    data_dir: Path | None = field(default_factory=data_dir_from_environment)

    def resolve(self, path: str, *, where: str) -> Path:
        """The file that ``path`` names, absolute or relative to a root, with every symbolic link followed.

        Raises:
            DataAccessError: it lies outside the roots once links are followed, or is no file. What lies outside is
                not looked at, so the message tells nothing about it.
        """
        if path in self.uploaded:
            return self.uploaded[path]
        inside = False
        for candidate in self._candidates(path):
            try:
                resolved = candidate.resolve()
                if not any(resolved.is_relative_to(root.resolve()) for root in self.roots):
                    continue
                inside = True
                if resolved.is_file():
                    return resolved
            except (OSError, RuntimeError, ValueError):  # too long, a loop of links, a null character
                continue
        expected = "an existing file" if inside else "a file below the data roots"
        raise DataAccessError(expected=expected, found=repr(path), where=where)

    def resolve_folder(self, path: str) -> Path | None:
        """The folder below a root that ``path`` names, with every symbolic link followed; ``None`` if it is none."""
        for candidate in self._candidates(path):
            try:
                resolved = candidate.resolve()
                if any(resolved.is_relative_to(root.resolve()) for root in self.roots) and resolved.is_dir():
                    return resolved
            except (OSError, RuntimeError, ValueError):
                continue
        return None

    def _candidates(self, path: str) -> tuple[Path, ...]:
        given = Path(path)
        return (given,) if given.is_absolute() else tuple(root / given for root in self.roots)
