"""Pages that are written from the code: which are out of date, and writing those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def stale(files: Mapping[str, str], *, folder: Path) -> list[str]:
    """Names of the files that are not there, or say something else."""
    return [name for name, text in files.items() if not (folder / name).exists() or (folder / name).read_text() != text]


def write_or_tell(files: Mapping[str, str], *, folder: Path, arguments: Sequence[str]) -> int:
    """Write what is out of date; with ``--check`` only say what that is. Gives the exit status."""
    found = stale(files, folder=folder)
    if "--check" in arguments:
        print("\n".join(found))
        return 1 if found else 0
    folder.mkdir(exist_ok=True)
    for name in found:
        (folder / name).write_text(files[name])
    return 0
