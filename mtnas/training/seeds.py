"""Seeds from seeds: one stream of random numbers per purpose, independent of every other."""

from __future__ import annotations

import hashlib
import json


def derived_seed(*parts: int | str) -> int:
    """A seed that only these parts, in this order, give.

    Args:
        parts: what the stream is for, such as ``("rows", data_seed, epoch)``.

    Returns:
        An integer in ``[0, 2**63)``: the head of the SHA-256 of the parts.
    """
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
