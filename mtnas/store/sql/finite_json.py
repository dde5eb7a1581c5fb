"""The one place where values become JSON text: NaN and infinities turn into null, text into what databases hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def clean(value: Any) -> Any:
    """`value` as plain JSON values.

    Floats that are not finite become None, tuples lists, enumerations their text; text loses NUL characters and lone
    surrogates (PostgreSQL can hold neither), each replaced by U+FFFD. Objects with `item()`, such as NumPy scalars,
    become the number they hold.

    Raises:
        TypeError: something that JSON cannot say.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {clean_text(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    item = getattr(value, "item", None)
    if callable(item):
        return clean(item())
    raise TypeError(f"JSON cannot hold {type(value).__name__}: {value!r}")


def clean_text(text: str) -> str:
    """`text` without NUL characters and lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def dumps(value: Any) -> str:
    """JSON text of `value` after `clean`; what the engine writes into every JSON column."""
    return json.dumps(clean(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
