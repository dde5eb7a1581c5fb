"""Tables of users: pandas, polars, pyarrow or columns by name, in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtnas.errors import DataError


def to_arrow(frame: Any, *, where: str = "X") -> pa.Table:
    """The table as arrow columns; an index of pandas is no column.

    Raises:
        DataError: it is no table, or a column cannot be one.
    """
    kind = type(frame).__module__.partition(".")[0]
    try:
        if isinstance(frame, pa.Table):
            return frame
        if kind == "pandas":
            named = frame.to_frame() if frame.ndim == 1 else frame
            return pa.Table.from_pandas(named.rename(columns=str), preserve_index=False).replace_schema_metadata(None)
        if kind == "polars":
            table: pa.Table = (frame.to_frame() if frame.__class__.__name__ == "Series" else frame).to_arrow()
            return table
        if isinstance(frame, Mapping):
            return pa.table({str(name): pa.array(values) for name, values in frame.items()})
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(expected="columns of one type each", found=" ".join(str(error).split()), where=where) from error
    expected = "a table of pandas, polars or pyarrow, or a mapping of columns"
    raise DataError(expected=expected, found=type(frame).__name__, where=where)


def to_rows(frame: Any, columns: Sequence[str]) -> dict[str, list[Any]]:
    """The named columns as lists of plain values.

    Raises:
        DataError: a column is missing.
    """
    table = to_arrow(frame)
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise DataError(expected=f"the columns {list(columns)}", found=f"none named {missing}", where="X")
    return {name: table.column(name).to_pylist() for name in columns}


def like(frame: Any, columns: Mapping[str, NDArray[Any]]) -> Any:
    """Columns as a table of the kind that came in; pandas keeps its index."""
    kind = type(frame).__module__.partition(".")[0]
    if kind == "pandas":
        import pandas as pd

        return pd.DataFrame(dict(columns), index=frame.index)
    if kind == "polars":
        import polars as pl

        return pl.DataFrame({name: np.asarray(values) for name, values in columns.items()})
    if isinstance(frame, pa.Table):
        return pa.table({name: pa.array(np.asarray(values)) for name, values in columns.items()})
    return dict(columns)
