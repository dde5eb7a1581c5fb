"""A data set of the suite: files that are written for a job, and the parts of its specification that are about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Document = Mapping[str, Any]

PART = "part"
BY_PART = {"kind": "column", "column": PART, "train": ["train"], "valid": ["valid"], "test": ["test"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Rows and tasks.

    Attributes:
        name: in tables, such as ``census/10000``.
        write: writes what the job reads into a folder, for a draw of the rows, and gives the job's ``data``.
        tasks: the job's ``tasks``.
        image: channels, rows and columns where inputs are images.
        parts: further parts of the specification that the data asks for.
    """

    name: str
    write: Callable[[Path, int], Document]
    tasks: tuple[Document, ...]
    image: tuple[int, int, int] | None = None
    parts: Document | None = None

    @property
    def family(self) -> str:
        """What ``--only`` may name beside the whole name."""
        return self.name.split("/")[0]


def binary(*names: str) -> tuple[Document, ...]:
    """A binary task for every label column."""
    return tuple({"name": name, "kind": "binary"} for name in names)


def regression(*names: str) -> tuple[Document, ...]:
    """A task that predicts a number, for every label column."""
    return tuple({"name": name, "kind": "regression", "tower": [8]} for name in names)
