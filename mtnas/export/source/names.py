"""Python names and literals for generated source: whatever a column or task is called, it stays text."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable

from torch import nn

MOST_CHARACTERS = 40
TAKEN = frozenset((*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *dir(nn.Module()), "self", "torch", "nn"))


class Names:
    """Hands out names that are ASCII, unique, no keyword and no attribute of ``nn.Module``.

    Args:
        reserved: further names that the generated source uses itself.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = {*TAKEN, *reserved}

    def give(self, wanted: str, *, prefix: str = "") -> str:
        """A name like the wanted text, never given before.

        Args:
            wanted: any text; characters that no name may have become ``_``.
            prefix: a plain word to put before it, with ``_`` between.
        """
        slug = re.sub(r"[^0-9A-Za-z]+", "_", wanted).strip("_")[:MOST_CHARACTERS].strip("_")
        stem = "_".join(part for part in (prefix, slug) if part)
        if not stem or stem[0].isdigit():
            stem = f"node_{stem}".strip("_")
        name, number = stem, 1
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name)
        return name


def literal(text: str) -> str:
    """The text as a Python string literal on one line, in double quotes where that needs no escape."""
    quoted = repr(text)
    return f'"{quoted[1:-1]}"' if quoted[0] == "'" and '"' not in quoted else quoted


def listed(names: Iterable[str]) -> str:
    """Names for a sentence: ``a, b and c``."""
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last
