"""Identifiers whose text sorts by the time they were made (UUID version 7, RFC 9562 section 5.7, method 3)."""

from __future__ import annotations

import secrets
import time
import uuid


def new_id() -> str:
    """A fresh identifier, later in text order than those this process made before (same clock tick aside)."""
    return str(uuid7(time_ns=time.time_ns(), entropy=secrets.randbits(62)))


def uuid7(*, time_ns: int, entropy: int) -> uuid.UUID:
    """The identifier of a moment, in nanoseconds since 1970, and 62 random bits.

    Of the time it holds 48 bits of milliseconds and 12 bits of the fraction of a millisecond (about 244 ns each).
    """
    milliseconds, rest_ns = divmod(time_ns, 1_000_000)
    fraction = rest_ns * 4096 // 1_000_000
    bits = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | entropy & (1 << 62) - 1
    return uuid.UUID(int=bits)
