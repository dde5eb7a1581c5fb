"""Example rows and the outputs that the trained network gives for them: what an export checks itself against."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from mtnas.data.columns.column import column_of, decoded, numbers_of, texts_of_values
from mtnas.data.columns.image_columns import image_shape, pixels_of
from mtnas.data.columns.storage import Storage, storage_of
from mtnas.data.encoding.encode import Bag, EncodedRows, encode_rows
from mtnas.data.schema import DataSchema
from mtnas.errors import ExportError
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Selection, Supernet
from mtnas.training.feeding.rows import ResidentData


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnlabelledRows:
    """Encoded rows without labels, as training reads rows."""

    categorical: npt.NDArray[np.int32]
    numeric: npt.NDArray[np.float32]
    bags: tuple[Bag, ...]
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.float32]
    parts: Mapping[str, npt.NDArray[np.int64]]

    @staticmethod
    def of(rows: EncodedRows) -> UnlabelledRows:
        """The same rows."""
        return UnlabelledRows(
            categorical=rows.categorical,
            numeric=rows.numeric,
            bags=rows.bags,
            images=rows.images,
            labels=np.empty((len(rows.categorical), 0), np.float32),
            parts={},
        )


def rows_as_json(schema: DataSchema, table: pa.Table) -> dict[str, list[Any]]:
    """The input columns as JSON values that the exported preprocessing encodes as ``encode_rows`` does the table.

    Raises:
        ExportError: no rows.
        DataError: an input column is missing.
    """
    if not table.num_rows:
        raise ExportError(expected="at least one example row", found="none", where="rows")
    numeric = {column.name for column in schema.numeric}
    rows: dict[str, list[Any]] = {}
    for name in schema.columns:
        column = decoded(column_of(table, name))
        if storage_of(column) is Storage.IMAGE:
            shape = image_shape(column, name=name)
            rows[name] = pixels_of(column, name=name).reshape(-1, *shape).tolist()
            continue
        if storage_of(column) is Storage.TIME:
            moments = numbers_of(column, name=name).tolist()
            values = moments if name in numeric else texts_of_values(column.combine_chunks())
        else:
            values = column.to_pylist()
        rows[name] = [_plain(value) for value in values]
    return rows


@torch.no_grad()
def expected_outputs(
    frozen: Supernet, schema: DataSchema, table: pa.Table, gate: Mapping[str, float] | None = None
) -> dict[str, Tensor]:
    """Outputs ``[N, outputs]`` per task of the trained network itself, the way training computes them, on the CPU.

    Raises:
        ExportError: an output is not finite.
    """
    graph, parameter = frozen.graph, next(frozen.parameters())
    network = frozen if parameter.device.type == "cpu" else copy.deepcopy(frozen).cpu()
    encoded = UnlabelledRows.of(encode_rows(schema, table))
    data = ResidentData.of(encoded, torch.device("cpu"), dtype=parameter.dtype)
    batch = data.gather(torch.arange(table.num_rows)[None])
    selection = Selection.from_routes(graph, [[full_route(graph)]], dtype=parameter.dtype, gate=[gate or {}])
    outputs = {
        task: output[0].contiguous() for task, output in zip(graph.tasks, network(batch, selection), strict=True)
    }
    for task, output in outputs.items():
        if not output.isfinite().all():
            raise ExportError(expected="finite outputs", found="NaN or infinity", where=f"task {task}")
    return outputs


def _plain(value: Any) -> Any:
    """A value as JSON holds it: NaN as null, an infinity as its text."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, timedelta):
        value = value.days * 86400 + value.seconds + value.microseconds / 1e6
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
