"""Encoded data on disk: one folder a digest, .npy arrays and one JSON, written whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtnas.data.column_use import ColumnUse
from mtnas.data.encoded import EncodedData
from mtnas.data.encoding.mapped import forget_pages
from mtnas.data.parts import PARTS
from mtnas.data.problem import Problem
from mtnas.data.schema import DataSchema
from mtnas.errors import DataError

DESCRIPTION = "encoded.json"
_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedData:
    """Encoded data by name: what travels to a process that reads rows as it needs them, instead of all the arrays."""

    cache: Path
    digest: str

    def open(self) -> EncodedData:
        """The data, mapped from the cache of the machine where this is called.

        Raises:
            DataError: it is not there.
        """
        found = read_encoded(self.digest, cache=self.cache)
        if found is None:
            raise DataError(
                expected="the cache of encoded data on every node, such as a shared folder, for data that is streamed",
                found=f"no data {self.digest[:12]} in {self.cache}",
                where=f"node {platform.node()}",
            )
        return found


def encoded_folder(cache: Path, digest: str) -> Path:
    """Where data of that digest is kept."""
    return cache / "encoded" / digest


def write_encoded(data: EncodedData, *, cache: Path) -> None:
    """Keep the data. Two processes may do this at once: the content is the same, the first one wins."""
    folder = encoded_folder(cache, data.digest)
    draft = folder.with_name(f".{data.digest}.{uuid.uuid4().hex}")
    damaged = draft.with_suffix(".damaged")
    draft.mkdir(parents=True)
    try:
        sizes = {name: _write_array(draft / f"{name}.npy", array) for name, array in _arrays(data).items()}
        description = {
            "digest": data.digest,
            "schema": data.schema.to_json(),
            "truth": data.truth,
            "warnings": [warning.to_json() for warning in data.warnings],
            "columns": [column.to_json() for column in data.columns],
            "size_bytes": sizes,
        }
        with (draft / DESCRIPTION).open("w", encoding="utf-8") as file:
            file.write(json.dumps(description, allow_nan=False))  # in C; json.dump writes a vocabulary word by word
            file.flush()
            os.fsync(file.fileno())
        if folder.exists() and read_encoded(data.digest, cache=cache) is None:
            folder.rename(damaged)
        with suppress(OSError):  # another process was first
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(damaged, ignore_errors=True)


def read_encoded(digest: str, *, cache: Path) -> EncodedData | None:
    """The data of that digest, its arrays mapped from disk; ``None`` if it is not there whole."""
    folder = encoded_folder(cache, digest)
    try:
        description: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        sizes: dict[str, int] = description["size_bytes"]
        if any((folder / f"{name}.npy").stat().st_size != size for name, size in sizes.items()):
            return None
        arrays = {name: _map_array(folder / f"{name}.npy") for name in sizes}
        schema = DataSchema.from_json(description["schema"])
        with suppress(PermissionError):
            os.utime(folder / DESCRIPTION)  # when it was last read decides what is evicted first
    except (FileNotFoundError, json.JSONDecodeError, KeyError, DataError):
        return None
    return EncodedData(
        schema=schema,
        categorical=arrays["categorical"],
        numeric=arrays["numeric"],
        bags=tuple((arrays[f"bag_{i}_offsets"], arrays[f"bag_{i}_values"]) for i in range(len(schema.bags))),
        images=arrays["images"] if "images" in arrays else np.empty((len(arrays["labels"]), 0), np.uint8),
        labels=arrays["labels"],
        weights=arrays.get("weights"),
        parts={part: arrays[f"part_{part}"] for part in PARTS},
        digest=digest,
        truth=description["truth"],
        cache=cache,
        warnings=tuple(Problem.from_json(warning) for warning in description["warnings"]),
        columns=tuple(ColumnUse.from_json(column) for column in description["columns"]),
    )


def _arrays(data: EncodedData) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "categorical": data.categorical,
        "numeric": data.numeric,
        "labels": data.labels,
        "images": data.images,
    }
    if data.weights is not None:
        arrays["weights"] = data.weights
    for index, (offsets, values) in enumerate(data.bags):
        arrays[f"bag_{index}_offsets"] = offsets
        arrays[f"bag_{index}_values"] = values
    return arrays | {f"part_{part}": rows for part, rows in data.parts.items()}


def _write_array(path: Path, array: NDArray[Any]) -> int:
    rows = max(1, _CHUNK_BYTES // max(1, array[:1].nbytes))
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
        )
        for start in range(0, len(array) if array.size else 0, rows):
            np.ascontiguousarray(array[start : start + rows]).tofile(file)
            forget_pages(array)
        file.flush()
        os.fsync(file.fileno())
    return path.stat().st_size


def _map_array(path: Path) -> NDArray[Any]:
    """Pages shared between processes; writable only in memory, as torch wants arrays it wraps."""
    return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
