"""The type of a table's column, for annotations."""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow as pa

Column: TypeAlias = "pa.ChunkedArray[Any]"
