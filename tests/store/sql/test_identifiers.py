"""Identifiers sort by time and are what RFC 9562 says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtnas.store.sql.identifiers import new_id, uuid7

NANOSECONDS = st.integers(0, (1 << 48) * 1_000_000 - 1)
ENTROPY = st.integers(0, (1 << 62) - 1)


@given(NANOSECONDS, NANOSECONDS, ENTROPY, ENTROPY)
def test_later_moments_have_later_text(one: int, other: int, entropy: int, other_entropy: int) -> None:
    earlier, later = sorted((one, other))
    if later - earlier >= 245:  # the clock of an identifier ticks every 244.1 ns
        assert str(uuid7(time_ns=earlier, entropy=entropy)) < str(uuid7(time_ns=later, entropy=other_entropy))


@given(NANOSECONDS, ENTROPY)
def test_version_variant_time_and_entropy_are_in_their_places(time_ns: int, entropy: int) -> None:
    made = uuid7(time_ns=time_ns, entropy=entropy)
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == time_ns // 1_000_000
    assert made.int & (1 << 62) - 1 == entropy


def test_fresh_identifiers_differ() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000
