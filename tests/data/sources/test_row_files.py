"""Rows read from files are those of the array, whatever rows, types and views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtnas.data.sources.row_files import read_rows
from mtnas.errors import DataError

NUM_ROWS = 5000
SHAPES = [(), (3,), (700,), (2, 5)]


def mapped(folder: Path, shape: tuple[int, ...], kind: str, mode: Any = "c") -> npt.NDArray[Any]:
    array = (np.random.default_rng(0).random((NUM_ROWS, *shape)) * 100).astype(kind)
    np.save(folder / "array.npy", array)
    return np.asarray(np.load(folder / "array.npy", mmap_mode=mode))


@pytest.fixture(scope="module", params=["float32", "int64", "uint8"])
def arrays(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[npt.NDArray[Any]]:
    """One of every shape."""
    return [mapped(tmp_path_factory.mktemp("arrays"), shape, request.param) for shape in SHAPES]


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.integers(0, NUM_ROWS - 1), max_size=60), which=st.integers(0, len(SHAPES) - 1))
def test_any_rows_in_any_order(arrays: list[npt.NDArray[Any]], which: int, rows: list[int]) -> None:
    array, numbers = arrays[which], np.array(rows, np.int64)
    read = read_rows(array, numbers)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array[numbers])


def test_all_rows_at_once_and_rows_far_apart(tmp_path: Path) -> None:
    array = mapped(tmp_path, (700,), "float32")
    for numbers in (np.arange(NUM_ROWS), np.arange(0, NUM_ROWS, 100), np.array([NUM_ROWS - 1, 0])):
        np.testing.assert_array_equal(read_rows(array, numbers), array[numbers])


@pytest.mark.parametrize("mode", ["r", "c"])
def test_what_is_read_belongs_to_the_reader(tmp_path: Path, mode: str) -> None:
    array = mapped(tmp_path, (3,), "float32", mode)
    read = read_rows(array, np.arange(10))
    read[:] = -1
    assert (array[:10] >= 0).all()


def test_views_are_read_where_they_begin(tmp_path: Path) -> None:
    array, rows = mapped(tmp_path, (3,), "int64"), np.array([4, 0, 4, 30])
    np.testing.assert_array_equal(read_rows(array[100:200], rows), array[100:200][rows])
    np.testing.assert_array_equal(read_rows(array[:, 1:], rows), array[:, 1:][rows])
    np.testing.assert_array_equal(read_rows(array[::2], rows), array[::2][rows])
    np.testing.assert_array_equal(read_rows(np.array(array), rows), array[rows])


def test_columns_that_a_set_does_not_have_are_read_as_well(tmp_path: Path) -> None:
    assert read_rows(mapped(tmp_path, (0,), "int64"), np.array([1, 2])).shape == (2, 0)


def test_rows_beyond_the_end_are_refused(tmp_path: Path) -> None:
    array = mapped(tmp_path, (3,), "float32")
    for wrong in (NUM_ROWS, -1):
        with pytest.raises(IndexError):
            read_rows(array, np.array([0, wrong]))


def test_a_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    array = mapped(tmp_path, (3,), "float32")
    path = tmp_path / "array.npy"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"array\.npy"):
        read_rows(array, np.arange(NUM_ROWS))
