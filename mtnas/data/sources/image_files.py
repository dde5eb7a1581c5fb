"""A user's own images beside a table: one array of all rows, or files that a column of the table names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtnas.data.access import DataAccess
from mtnas.data.columns.column import codes_of, column_of
from mtnas.data.columns.image_columns import image_column
from mtnas.data.data_spec import ImageArray, ImageFiles
from mtnas.errors import DataAccessError, DataError

if TYPE_CHECKING:
    from PIL import Image

_WHERE = "data.source.images"
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def image_paths(images: ImageArray | ImageFiles, table: pa.Table, *, access: DataAccess) -> tuple[Path, ...]:
    """The array's file, or the file of each row.

    Raises:
        DataAccessError: a file that is not there or not below the roots.
        DataError: no column of names, or a row without one.
    """
    if isinstance(images, ImageArray):
        return (access.resolve(images.path, where=f"{_WHERE}.path"),)
    codes = codes_of(column_of(table, images.names, where=f"{_WHERE}.names"), name=images.names)
    if (codes.indices < 0).any():
        where = f"column {images.names!r}, row {int((codes.indices < 0).argmax()) + 1}"
        raise DataError(expected="the name of an image file", found="a missing value", where=where)
    paths = [access.resolve(f"{images.folder}/{name}", where=f"column {images.names!r}") for name in codes.texts]
    return tuple(paths[index] for index in codes.indices)


def with_images(table: pa.Table, images: ImageArray | ImageFiles, paths: tuple[Path, ...]) -> pa.Table:
    """The table with one more column, of images.

    Raises:
        DataAccessError: the package that reads image files is not installed.
        DataError: not as many images as rows, a file that is no image, or a column of that name in the table.
    """
    if images.column in table.column_names:
        raise DataError(expected="a name that no column has", found=repr(images.column), where=f"{_WHERE}.column")
    if isinstance(images, ImageArray):
        pixels = _read_array(paths[0])
        if len(pixels) != table.num_rows:
            expected = f"an image for each of {table.num_rows} rows"
            raise DataError(expected=expected, found=str(len(pixels)), where=f"{_WHERE} ({paths[0].name})")
    else:
        pixels = _read_files(paths, images.shape)
    return table.append_column(images.column, pa.chunked_array([image_column(pixels)]))


def _read_array(path: Path) -> NDArray[np.uint8]:
    """Bytes ``[N, channels, rows, columns]`` of an array ``[N, rows, columns]`` or ``[N, rows, columns, channels]``."""
    place = f"{_WHERE} ({path.name})"
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                if len(loaded.files) != 1:
                    raise DataError(expected="one array", found=str(loaded.files), where=place)
                loaded = loaded[loaded.files[0]]
    except (ValueError, EOFError, OSError) as error:
        raise DataError(expected="a .npy or .npz file", found=type(error).__name__, where=place) from error
    if loaded.dtype != np.uint8 or loaded.ndim not in (3, 4):
        expected = "bytes (uint8) of shape [N, rows, columns] or [N, rows, columns, channels]"
        raise DataError(expected=expected, found=f"{loaded.dtype} of shape {loaded.shape}", where=place)
    pixels: NDArray[np.uint8] = loaded[:, None] if loaded.ndim == 3 else np.moveaxis(loaded, 3, 1)
    return pixels


def _read_files(paths: tuple[Path, ...], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Image files of any size and colour as bytes of one shape; smaller sizes are means over the area of a pixel."""
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise DataAccessError(
            expected="the package pillow, to read images (pip install 'mtnas[images]')", found="none", where=_WHERE
        ) from error
    channels, height, width = shape
    pixels = np.empty((len(paths), *shape), np.uint8)
    for row, path in enumerate(paths):
        try:
            with Image.open(path) as image:
                pixels[row] = _resized(image.convert(_MODES[channels]), (width, height), Image.Resampling.BOX)
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            where = f"{_WHERE}, row {row + 1} ({path.name})"
            raise DataError(expected="an image", found=type(error).__name__, where=where) from error
    return pixels


def _resized(image: Image.Image, size: tuple[int, int], method: Image.Resampling) -> NDArray[np.uint8]:
    """``[channels, rows, columns]``."""
    pixels = np.asarray(image if image.size == size else image.resize(size, method), dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
