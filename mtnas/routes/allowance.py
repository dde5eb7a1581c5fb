"""How large a graph may become while somebody waits for it: nodes draw on an allowance as they are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mtnas.errors import SpaceError

_left: ContextVar[list[int] | None] = ContextVar("left", default=None)


@contextmanager
def at_most_choices(most: int) -> Iterator[None]:
    """Refuse, within the block and this thread, to make junctions and slots with more edges and blocks than ``most``.

    What a space's options or an inline graph amount to is known only by making it; this ends the making in time.
    """
    token = _left.set([most, most])
    try:
        yield
    finally:
        _left.reset(token)


def draw(choices: int) -> None:
    """Take edges or blocks from the allowance, if there is one.

    Raises:
        SpaceError: it is used up.
    """
    left = _left.get()
    if left is None:
        return
    left[1] -= choices
    if left[1] < 0:
        raise SpaceError(expected=f"at most {left[0]} edges and blocks", found="more", where="space")
