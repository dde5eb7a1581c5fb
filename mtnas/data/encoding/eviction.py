"""Keeping the cache of encoded data below a size: what was read longest ago goes first."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from mtnas.data.encoding.cache import DESCRIPTION, encoded_folder


def evict_encoded(cache: Path, *, most_bytes: int, unused_s: float, now_s: float) -> tuple[str, ...]:
    """Delete encoded data until the rest takes at most ``most_bytes``; gives the digests that went.

    Data that was read or written less than ``unused_s`` before ``now_s`` (seconds since 1970) stays, since a job may
    be about to map it. Whoever has mapped a file keeps it, deleted or not.
    """
    folders = [path.parent for path in encoded_folder(cache, "x").parent.glob(f"*/{DESCRIPTION}")]
    used = sorted((_last_read(folder), folder) for folder in folders if not folder.name.startswith("."))
    size = {folder: sum(path.stat().st_size for path in folder.iterdir()) for _, folder in used}
    left, gone = sum(size.values()), []
    for read, folder in used:
        if left <= most_bytes or now_s - read < unused_s:
            break
        # A name that nobody looks for first, so that nobody finds half of it.
        doomed = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.evicted")
        try:
            folder.rename(doomed)
        except FileNotFoundError:  # somebody else evicts, too
            continue
        shutil.rmtree(doomed, ignore_errors=True)
        left -= size[folder]
        gone.append(folder.name)
    return tuple(gone)


def _last_read(folder: Path) -> float:
    return (folder / DESCRIPTION).stat().st_mtime
