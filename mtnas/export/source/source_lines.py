"""Laying out generated Python source: calls that break where a line would grow too long, and comments."""

from __future__ import annotations

from collections.abc import Sequence

LINE = 110
INDENT = "    "


def call(start: str, arguments: Sequence[str | Sequence[str]], end: str, *, depth: int, note: str = "") -> list[str]:
    """``start`` + arguments + ``end`` on one line, or else one argument a line.

    Args:
        start: ends with the opening bracket.
        arguments: source of each argument; a sequence of several stands for a list.
        end: starts with the closing bracket.
        depth: how deep the statement is indented.
        note: a comment, behind the line or above the lines.
    """
    margin = INDENT * depth
    texts = [argument if isinstance(argument, str) else f"[{', '.join(argument)}]" for argument in arguments]
    line = f"{margin}{start}{', '.join(texts)}{end}"
    if len(line) + (len(note) + 4 if note else 0) <= LINE:
        return [f"{line}  # {note}" if note else line]
    above = comment(note, depth=depth) if note else []
    if len(line) <= LINE:
        return [*above, line]
    inner: list[str] = []
    for argument in arguments:
        inner += (
            [f"{margin}{INDENT}{argument},"]
            if isinstance(argument, str)
            else call("[", argument, "],", depth=depth + 1)
        )
    return [*above, f"{margin}{start}", *inner, f"{margin}{end}"]


def comment(text: str, *, depth: int) -> list[str]:
    """A comment, broken between words where a line would grow too long."""
    margin = f"{INDENT * depth}#"
    lines = [margin]
    for word in text.split(" "):
        if len(lines[-1]) + 1 + len(word) > LINE and lines[-1] != margin:
            lines.append(margin)
        lines[-1] += f" {word}"
    return lines
