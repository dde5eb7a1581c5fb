"""Encoding a table that is larger than memory: block after block, into arrays on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mtnas.data.encoding.encode import Bag, EncodedRows, Places, encode_rows
from mtnas.data.schema import DataSchema
from mtnas.data.sources.long_table import LongTable

Told = Callable[[float], None]
"""Hears what share of the rows is done."""


def encode_long(schema: DataSchema, table: LongTable, *, folder: Path, told: Told = lambda share: None) -> EncodedRows:
    """As ``encode_rows``, with arrays that are mapped from files in ``folder`` (an empty folder of this call's own).

    Raises:
        DataError: as ``encode_rows``.
    """
    places: Places = {}
    wide = encode_rows(schema, table.schema.empty_table())
    files = {name: (folder / f"{name}.rows").open("wb") for name in ("categorical", "numeric")}
    tokens = [(folder / f"bag_{index}.tokens").open("wb") for index in range(len(schema.bags))]
    offsets = [[np.zeros(1, np.int64)] for _ in schema.bags]
    done = 0
    try:
        for block in table.blocks(schema.columns):
            encoded = encode_rows(schema, block, places=places)
            encoded.categorical.tofile(files["categorical"])
            encoded.numeric.tofile(files["numeric"])
            for (starts, values), known, file in zip(encoded.bags, offsets, tokens, strict=True):
                values.tofile(file)
                known.append(starts[1:] + known[-1][-1])
            done += block.num_rows
            told(done / table.num_rows)
    finally:
        for file in (*files.values(), *tokens):
            file.close()
    bags: list[Bag] = []
    for known, file in zip(offsets, tokens, strict=True):
        starts = np.concatenate(known)
        bags.append((starts, _mapped(file, np.int32, (int(starts[-1]),))))
    return EncodedRows(
        categorical=_mapped(files["categorical"], np.int32, (done, wide.categorical.shape[1])),
        numeric=_mapped(files["numeric"], np.float32, (done, wide.numeric.shape[1])),
        bags=tuple(bags),
        images=np.empty((done, 0), np.uint8),
    )


def _mapped(file: BinaryIO, kind: type, shape: tuple[int, ...]) -> NDArray[Any]:
    if not all(shape):
        return np.empty(shape, kind)
    return np.memmap(file.name, dtype=kind, mode="r", shape=shape)
