"""What a data set's columns hold: counts, ranges, label rates, and what each is judged to be. A JSON-able value.

The service stores it, so that a request can be checked without reading the data again (``request_checks``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mtnas.data.columns.storage import Storage
from mtnas.data.profiles.giveaways import Giveaway
from mtnas.errors import DataError

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column.

    Attributes:
        name: its name.
        storage: how its values are stored.
        missing: rows without a value.
        distinct: different values; ``None`` for lists.
        minimum, maximum: of its finite numbers.
        whole: all its numbers are whole.
        infinities: rows with an infinite number.
        first_infinity: the first of them, counted from 1.
        numeric_share: share of its values that are, or spell, numbers.
        first_text: the first value that does not, and its row.
        length: of every list or vector, if all are of one length.
        separator: what splits its texts into vectors or tokens, if they look like that.
        tokens: different elements of its lists.
        fractions: some element of its lists is not whole.
        binary_rate: share of 1 and true, if it holds nothing but 0, 1, true, false.
        top: its most frequent values with their counts.
        index: it is the index of a data frame, which pandas writes beside the columns.
    """

    name: str
    storage: Storage
    missing: int
    distinct: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    whole: bool = False
    infinities: int = 0
    first_infinity: int | None = None
    numeric_share: float = 0.0
    first_text: tuple[int, str] | None = None
    length: int | None = None
    separator: str | None = None
    tokens: int | None = None
    fractions: bool = False
    binary_rate: float | None = None
    top: tuple[tuple[str, int], ...] = ()
    index: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A data set's rows, columns and suspicious columns.

    Attributes:
        digest: of the source's content.
        num_rows: rows.
        columns: in the order of the table.
        inferred: kind of feature by column name; columns that would be left out are not in it.
        left_out: reason by column name.
        giveaways: columns that tell a column with two values, should that become a label.
    """

    digest: str
    num_rows: int
    columns: tuple[ColumnProfile, ...]
    inferred: Mapping[str, str]
    left_out: Mapping[str, str]
    giveaways: tuple[Giveaway, ...] = ()

    def column(self, name: str) -> ColumnProfile | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """As JSON; ``from_json`` reads it."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Profile:
        """What ``to_json`` wrote.

        Raises:
            DataError: another format.
        """
        if document.get("format") != FORMAT:
            raise DataError(expected=f"format {FORMAT}", found=str(document.get("format")), where="profile")
        return cls(
            digest=document["digest"],
            num_rows=document["num_rows"],
            columns=tuple(_column_from_json(column) for column in document["columns"]),
            inferred=dict(document["inferred"]),
            left_out=dict(document["left_out"]),
            giveaways=tuple(Giveaway(**giveaway) for giveaway in document["giveaways"]),
        )


def _column_from_json(document: Mapping[str, Any]) -> ColumnProfile:
    first = document["first_text"]
    changed = {
        "storage": Storage(document["storage"]),
        "first_text": None if first is None else (first[0], first[1]),
        "top": tuple((text, count) for text, count in document["top"]),
    }
    return ColumnProfile(**{**document, **changed})
