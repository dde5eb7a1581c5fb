"""An export as one zip file."""

from __future__ import annotations

import os
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from mtnas.errors import ExportError
from mtnas.export.manifest import MANIFEST, Manifest

EPOCH = (1980, 1, 1, 0, 0, 0)
UNIX, READABLE = 3, 0o644 << 16


def zip_export(folder: Path, target: Path) -> Path:
    """Pack an export; equal files give equal bytes. Gives ``target`` back.

    The files lie below ``route_<digest>/``, a name that Python can import: ``from route_1a2b... .model import load``.

    Raises:
        ExportError: the folder holds no export, or misses one of its files.
    """
    manifest = Manifest.read(folder)
    draft = target.with_name(f".{target.name}.draft-{os.getpid()}")
    with ZipFile(draft, "w") as archive:
        for name in sorted((*manifest.files, MANIFEST)):
            entry = ZipInfo(f"route_{manifest.route.digest[:12]}/{name}", EPOCH)
            entry.compress_type, entry.create_system, entry.external_attr = ZIP_DEFLATED, UNIX, READABLE
            try:
                archive.writestr(entry, (folder / name).read_bytes())
            except OSError as error:
                draft.unlink(missing_ok=True)
                raise ExportError(expected=f"the file {name}", found=str(error.strerror), where=folder.name) from error
    draft.replace(target)
    return target
