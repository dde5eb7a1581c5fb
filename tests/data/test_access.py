"""Files must lie below the data roots, symbolic links followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtnas.data import DataAccess
from mtnas.errors import DataAccessError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (root / "inner" / "rows.csv").write_text("a\n1\n")
    (tmp_path / "secret.csv").write_text("a\n1\n")
    return root


def access_to(root: Path) -> DataAccess:
    return DataAccess(roots=(root,), cache=root / "cache")


def test_a_file_below_the_root_is_found_by_relative_and_absolute_path(root: Path) -> None:
    expected = (root / "inner" / "rows.csv").resolve()
    assert access_to(root).resolve("inner/rows.csv", where="here") == expected
    assert access_to(root).resolve(str(root / "inner" / "rows.csv"), where="here") == expected


@pytest.mark.parametrize("path", ["../secret.csv", "inner/../../secret.csv", "/etc/hostname", "a\0b", "x" * 5000])
def test_a_path_outside_is_refused_with_its_place(root: Path, path: str) -> None:
    with pytest.raises(DataAccessError) as caught:
        access_to(root).resolve(path, where="data.source.paths[0]")
    assert caught.value.where == "data.source.paths[0]"
    assert str(root) not in str(caught.value)


def test_a_link_that_leads_outside_is_refused_and_one_that_stays_inside_is_not(root: Path) -> None:
    (root / "out.csv").symlink_to(root.parent / "secret.csv")
    (root / "in.csv").symlink_to(root / "inner" / "rows.csv")
    (root / "loop.csv").symlink_to(root / "loop.csv")
    assert access_to(root).resolve("in.csv", where="here").name == "rows.csv"
    for path in ("out.csv", "loop.csv"):
        with pytest.raises(DataAccessError):
            access_to(root).resolve(path, where="here")


def test_existing_and_missing_files_outside_are_refused_in_the_same_words(root: Path) -> None:
    messages = []
    for path in (root.parent / "secret.csv", root.parent / "absent.csv"):
        with pytest.raises(DataAccessError) as caught:
            access_to(root).resolve(str(path), where="here")
        messages.append(caught.value.expected)
    assert messages[0] == messages[1]


def test_a_missing_file_and_a_folder_inside_are_no_files(root: Path) -> None:
    for path in ("inner/absent.csv", "inner"):
        with pytest.raises(DataAccessError, match="an existing file"):
            access_to(root).resolve(path, where="here")


def test_without_roots_nothing_is_below_them(root: Path) -> None:
    with pytest.raises(DataAccessError, match="below the data roots"):
        DataAccess(roots=(), cache=root).resolve(str(root / "inner" / "rows.csv"), where="here")
