"""What is wrong, or doubtful, about a request's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mtnas.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A finding about data, as a value; an error stops a job, a warning is shown.

    Attributes:
        expected: what would have been right.
        found: what is there instead.
        where: the place, in the request (``tasks[1].label``) or in the data (``column 'age', row 17``).
        severity: whether a job can run.
    """

    expected: str
    found: str
    where: str
    severity: Literal["error", "warning"] = "error"

    def to_error(self) -> DataError:
        """The same as an exception."""
        return DataError(expected=self.expected, found=self.found, where=self.where)

    def to_json(self) -> dict[str, Any]:
        """As JSON; ``from_json`` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Problem:
        """What ``to_json`` wrote."""
        return cls(**document)

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}"
