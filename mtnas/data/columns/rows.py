"""What the rest of this package asks of a table: whether it lies in memory or is read from its files when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mtnas.data.columns.column_type import Column


class Rows(Protocol):
    """Columns of equal length by name. ``pa.Table`` is one, ``LongTable`` another."""

    @property
    def num_rows(self) -> int:
        """How many."""

    @property
    def column_names(self) -> list[str]:
        """In their order."""

    @property
    def schema(self) -> pa.Schema:
        """Types of the columns."""

    def column(self, i: str, /) -> Column:
        """All values of one."""

    def take(self, indices: NDArray[np.int64], /) -> pa.Table:
        """Some rows, in memory."""
