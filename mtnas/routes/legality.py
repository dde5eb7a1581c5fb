"""What makes the nodes of a graph legal in themselves; how they fit together is checked by the graph."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mtnas.errors import SpaceError

# Whatever a name may hold must leave the text of a route readable: no separator of its grammar, no space.
_NAME = re.compile(r"[\w.\-]+")


def check_name(name: str, where: str) -> None:
    """Refuse a name that would not survive in a route's text.

    Raises:
        SpaceError: empty, not a text, or with a character other than letters, digits, ``_``, ``.`` and ``-``.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SpaceError(expected="a name of letters, digits, '_', '.' and '-'", found=repr(name), where=where)


def check_start(starts_from: str | None, *, frozen: bool, where: str) -> None:
    """Refuse a clone that is frozen, or one of nothing.

    Raises:
        SpaceError: either.
    """
    if starts_from is None:
        return
    check_name(starts_from, where)
    if frozen:
        raise SpaceError(expected="a clone that is trained", found="a frozen one", where=where)


def check_distinct(names: Sequence[str], where: str) -> None:
    """Refuse what is there twice.

    Raises:
        SpaceError: naming all that is.
    """
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise SpaceError(expected="names that differ", found=f"{doubled} more than once", where=where)


def check_choices(choices: Sequence[str], what: str, where: str) -> None:
    """Refuse an empty or repeating list of choices.

    Raises:
        SpaceError: nothing to choose from, or one thing twice.
    """
    if not choices:
        raise SpaceError(expected=f"at least one of {what}", found="none", where=where)
    if len(set(choices)) != len(choices):
        raise SpaceError(expected=f"{what} that differ", found=str(list(choices)), where=where)


def check_widths(widths: Sequence[int], where: str) -> None:
    """Refuse widths that no layer can have.

    Raises:
        SpaceError: not whole numbers of at least 1.
    """
    if any(isinstance(width, bool) or not isinstance(width, int) or width < 1 for width in widths):
        raise SpaceError(expected="whole numbers of at least 1", found=str(list(widths)), where=where)
