"""Canonical text of plain data, the base of every digest."""

from __future__ import annotations

import json
from typing import Any


def canonical_json(data: Any) -> str:
    """JSON with sorted keys and no spaces: one text per value. Refuses NaN and infinities."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
