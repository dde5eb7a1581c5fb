"""Columns of images: bytes of one shape, kept as bytes all the way to the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtnas.errors import DataError

if TYPE_CHECKING:
    from mtnas.data.columns.column_type import Column

BRIGHTEST = 255  # what a pixel is divided by
_AXES = "channels, rows, columns"


def image_column(pixels_NCHW: NDArray[np.uint8]) -> pa.Array[Any]:
    """Images as a column of a table, which knows their shape."""
    shape = pixels_NCHW.shape[1:]
    flat = pa.array(np.ascontiguousarray(pixels_NCHW).reshape(-1))
    stored = pa.FixedSizeListArray.from_arrays(flat, int(np.prod(shape)))
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.uint8(), list(shape)), stored)


def is_image(kind: pa.DataType) -> bool:
    """Whether a column of this type holds images: tensors of bytes with three axes."""
    return isinstance(kind, pa.FixedShapeTensorType) and kind.value_type == pa.uint8() and len(kind.shape) == 3


def image_shape(column: Column, *, name: str) -> tuple[int, int, int]:
    """Channels, rows and columns.

    Raises:
        DataError: the column holds something else.
    """
    if not is_image(column.type):
        found = f"values of type {column.type}"
        raise DataError(expected=f"images of bytes ({_AXES})", found=found, where=f"column {name!r}")
    channels, height, width = column.type.shape
    return int(channels), int(height), int(width)


def pixels_of(column: Column, *, name: str, shape: tuple[int, int, int] | None = None) -> NDArray[np.uint8]:
    """The column as ``[N, channels * rows * columns]``; a missing image is zeros.

    Raises:
        DataError: the column holds no images, or images of another shape.
    """
    found = image_shape(column, name=name)
    if shape is not None and found != tuple(shape):
        raise DataError(expected=f"images of {shape} ({_AXES})", found=str(found), where=f"column {name!r}")
    size = int(np.prod(found))
    chunks = [_pixels(chunk, size) for chunk in column.chunks]
    return np.concatenate(chunks) if chunks else np.empty((0, size), np.uint8)


def _pixels(chunk: Any, size: int) -> NDArray[np.uint8]:
    storage = chunk.storage
    if not storage.null_count:
        return np.asarray(storage.flatten().to_numpy().reshape(-1, size))
    pixels = np.zeros((len(storage), size), np.uint8)
    pixels[np.asarray(storage.is_valid())] = storage.flatten().to_numpy().reshape(-1, size)
    return pixels
