"""Checking the options of a space."""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.errors import SpaceError
from mtnas.routes import Block, BlockKind


def check_range(name: str, value: int, *, least: int = 1, most: int) -> None:
    """Refuse a number outside its range.

    Raises:
        SpaceError: naming the option.
    """
    if not least <= value <= most:
        raise SpaceError(expected=f"{least} to {most}", found=str(value), where=f"space.options.{name}")


def check_some(name: str, chosen: Sequence[str], known: Sequence[str]) -> None:
    """Refuse an empty choice, or one of something unknown.

    Raises:
        SpaceError: naming the option.
    """
    if not chosen or not set(chosen) <= set(known):
        raise SpaceError(expected=f"some of {list(known)}", found=str(list(chosen)), where=f"space.options.{name}")


def perceptrons(widths: Sequence[int], *, width: int, norm: bool) -> tuple[Block, ...]:
    """Perceptrons of one output width to choose from, each with one hidden layer; without ``widths`` one without any.

    Args:
        widths: hidden units, none twice.
        width: units that each gives, so that what is mixed is equally wide.
        norm: whether they normalise their units.

    Raises:
        SpaceError: naming the option ``widths``.
    """
    if any(not isinstance(hidden, int) or isinstance(hidden, bool) or not 1 <= hidden <= 4096 for hidden in widths):
        raise SpaceError(expected="widths from 1 to 4096", found=str(list(widths)), where="space.options.widths")
    if len(set(widths)) != len(widths):
        raise SpaceError(expected="widths that differ", found=str(list(widths)), where="space.options.widths")
    if not widths:
        return (Block(kind=BlockKind.MLP, widths=(width,), norm=norm),)
    return tuple(Block(kind=BlockKind.MLP, widths=(hidden, width), norm=norm) for hidden in widths)
