"""Obtaining Omniglot's two archives: from the user's folder, from an earlier download, or from the authors' repository.

Archives are judged by their drawings: two that hold the same PNG files (by name and checksum) are the same, however
they were packed.
"""

from __future__ import annotations

import io
import urllib.request
import uuid
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtnas.data.access import DataAccess
from mtnas.data.digest import digest_json
from mtnas.errors import DataAccessError

DRAWINGS = {"images_background.zip": 19_280, "images_evaluation.zip": 13_180}
SIZE = 105
_FOLDER = "omniglot"
_URL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
_CONNECT_S, _MAX_DOWNLOAD_BYTES = 20, 64 << 20
_UNREADABLE = (OSError, EOFError, zipfile.BadZipFile)


def omniglot_archives(access: DataAccess) -> tuple[Path, ...]:
    """The two archives, downloaded into ``access.cache`` if the user has none.

    Raises:
        DataAccessError: nowhere; the message says what was tried and what happened.
    """
    kept = access.cache / "sources" / _FOLDER
    folders = [] if access.data_dir is None else [access.data_dir, access.data_dir / _FOLDER]
    for folder in (*folders, kept):
        if all(_is_whole(folder / name) for name in DRAWINGS):
            return tuple(folder / name for name in DRAWINGS)
    try:
        for name in DRAWINGS:
            _download(name, kept)
    except _UNREADABLE as error:
        tried = f"{_URL}: {type(error).__name__}: {error}"[:300]
        raise DataAccessError(
            expected="Omniglot's archives in MTNAS_DATA_DIR, or a network that leads to their authors' repository",
            found=f"{'none in MTNAS_DATA_DIR; ' if folders else ''}{tried}",
            where="data.source, catalogue set 'omniglot'",
        ) from error
    return tuple(kept / name for name in DRAWINGS)


def digest_of_drawings(archives: tuple[Path, ...]) -> str:
    """What identifies the drawings: names and checksums of all of them."""
    return digest_json(sorted([member.filename, member.CRC] for path in archives for member in _drawings(path)))


def read_drawings(
    archives: tuple[Path, ...], alphabets: Collection[str], *, size: int
) -> Iterator[tuple[str, str, int, NDArray[np.uint8]]]:
    """Alphabet, character, drawer and pixels ``[size, size]`` (ink 255) of these drawings, sorted in this order.

    Smaller sizes are means over the area of a pixel.

    Raises:
        DataAccessError: Pillow, which reads the drawings, is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise DataAccessError(
            expected="the package pillow, to read images (pip install 'mtnas[images]')",
            found="none",
            where="catalogue set 'omniglot'",
        ) from error
    found = {}
    for path in archives:
        for member in _drawings(path):
            alphabet, character, file = member.filename.split("/")[-3:]
            if alphabet in alphabets:
                found[alphabet, character, int(file.removesuffix(".png").rsplit("_", 1)[1])] = (path, member)
    with zipfile.ZipFile(archives[0]) as first, zipfile.ZipFile(archives[1]) as second:
        opened = dict(zip(archives, (first, second), strict=True))
        for alphabet, character, drawer in sorted(found):
            path, member = found[alphabet, character, drawer]
            with Image.open(io.BytesIO(opened[path].read(member))) as drawing:
                grey = drawing.convert("L")
            if size != SIZE:
                grey = grey.resize((size, size), Image.Resampling.BOX)
            yield alphabet, character, drawer, 255 - np.asarray(grey, dtype=np.uint8)


def _drawings(path: Path) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(path) as archive:
        return [member for member in archive.infolist() if member.filename.endswith(".png")]


def _is_whole(path: Path) -> bool:
    try:
        return len(_drawings(path)) == DRAWINGS[path.name]
    except _UNREADABLE:
        return False


def _download(name: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{name}.{uuid.uuid4().hex}"
    try:
        with urllib.request.urlopen(f"{_URL}/{name}", timeout=_CONNECT_S) as response:
            draft.write_bytes(response.read(_MAX_DOWNLOAD_BYTES))
        if len(_drawings(draft)) != DRAWINGS[name]:
            raise zipfile.BadZipFile(f"expected {DRAWINGS[name]} drawings in {name}")
        draft.replace(folder / name)
    finally:
        draft.unlink(missing_ok=True)
