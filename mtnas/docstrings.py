"""Reads what our docstrings say of a class's attributes, so that a setting is explained in one place only."""

from __future__ import annotations

import inspect
import re


def attributes_of(kind: type) -> dict[str, str]:
    """The sentences of the ``Attributes`` sections of a class and those it comes from, by name."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        found |= attributes_in(inspect.cleandoc(one.__doc__ or ""))
    return found


def attributes_in(text: str) -> dict[str, str]:
    """The sentences of a docstring's ``Attributes`` section by name; names before one colon share a sentence."""
    _, _, section = text.partition("Attributes:\n")
    entries = re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
    return {name: " ".join(sentence.split()) for names, sentence in entries for name in names.split(", ")}
