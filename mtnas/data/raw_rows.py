"""A few raw rows of a source, for showing and checking what a module does with them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mtnas.data.access import DataAccess
from mtnas.data.data_spec import DataSpec
from mtnas.data.profiles.request_checks import wanted_of
from mtnas.data.sources.sources import open_source


def example_rows(spec: DataSpec, *, access: DataAccess, count: int = 32) -> pa.Table:
    """Raw rows, evenly spread over the source; fewer if it has fewer.

    Raises:
        DataAccessError: a file that may not or cannot be read.
        DataError: it cannot be parsed, or has no rows.
    """
    table = open_source(spec.source, access=access).read(wanted_of(spec)).table
    rows = np.unique(np.linspace(0, table.num_rows - 1, num=min(count, table.num_rows)).astype(np.int64))
    return table.take(rows)
