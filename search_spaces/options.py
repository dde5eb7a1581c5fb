"""Checking the options of a space."""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.errors import SpaceError


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
