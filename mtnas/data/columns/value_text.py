"""The one text of a value, however it is written or stored, and the number it stands for. Needs numpy only.

Training and exported modules go by this one file; an export gets a copy of it. A column is of one kind. A column of
numbers gives ``007``, ``7``, ``7.0``, ``+7``, ``"7"`` and ``Decimal("7.00")`` the text ``7``; one of booleans gives
``True``, ``TRUE`` and ``1`` the text ``true``; one of moments gives ``2020-01-31``, the same day as a date and its
midnight as a timestamp the text ``2020-01-31``. Texts of a column of texts stay as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

ValueKind: TypeAlias = Literal["integer", "number", "boolean", "time", "text"]

# What pandas takes for missing, too: rows that it reads from the file of the training give the same predictions.
MISSING_TEXTS = (
    *("", "NA", "N/A", "#N/A", "#NA", "#N/A N/A", "<NA>", "n/a", "NaN", "nan", "-NaN", "-nan", "null", "NULL", "None"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
EXACT = 2**53  # float64 holds every whole number below
_BOOLEANS = {"true": "true", "false": "false", "1": "true", "0": "false"}
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,16}")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_MOST_DIGITS = 300  # of a whole number that still fits into float64


@dataclass(frozen=True)
class Spelling:
    """How a source writes its values.

    Attributes:
        decimal: before the fraction of a number.
        thousands: between groups of three digits; empty: nothing.
        date_format: of moments that are not written as ISO 8601, in the terms of ``strptime``.
        missing: texts that stand for no value.
    """

    decimal: str = "."
    thousands: str = ""
    date_format: str | None = None
    missing: frozenset[str] = frozenset({""})

    @cached_property
    def missing_numbers(self) -> frozenset[float]:
        """The numbers among the texts that stand for no value, such as -99."""
        numbers = (parse_number(text, self) for text in self.missing)
        return frozenset(float(number) for number in numbers if number is not None and not math.isnan(number))


def number_pattern(decimal: str = ".", thousands: str = "") -> str:
    """What a number looks like, as a regular expression that Python and RE2 understand alike."""
    point = re.escape(decimal)
    whole = "[0-9]+"
    if thousands:
        whole = rf"(?:[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)"
    finite = rf"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    return rf"^\s*[+-]?(?:{finite}|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])\s*$"


def parse_number(text: str, spelling: Spelling) -> int | float | None:
    """The number that a text spells, whole ones with all digits; ``None`` if it spells none."""
    if _HEXADECIMAL.fullmatch(text):
        number = int(text, 16)
        return number - 2**64 if number >= 2**63 else number
    if not _numbers(spelling.decimal, spelling.thousands).match(text):
        return None
    plain = text.strip()
    if spelling.thousands:
        plain = plain.replace(spelling.thousands, "")
    if len(plain) <= _MOST_DIGITS and _WHOLE.fullmatch(plain):
        return int(plain)
    return float(plain.replace(spelling.decimal, "."))


def number_text(value: float) -> str:
    """The text of a number: digits alone for a whole one that float64 holds exactly, else the shortest that does."""
    if isinstance(value, int) or (abs(value) < EXACT and value == math.floor(value)):
        return str(int(value))
    return repr(float(value))


def parse_moment(text: str, spelling: Spelling) -> date | time | None:
    """The moment or time of day that a text spells; ``None`` if it spells none."""
    if spelling.date_format is not None:
        try:
            return datetime.strptime(text.strip(), spelling.date_format)
        except ValueError:
            pass
    for parse in (datetime.fromisoformat, time.fromisoformat):
        try:
            return parse(text.strip())
        except ValueError:
            continue
    return None


def moment_text(value: date | time) -> str:
    """The text of a moment in UTC, to the microsecond and without what is zero: a day at midnight is the day."""
    if isinstance(value, time):
        return clock_text(value.hour * 3600 + value.minute * 60 + value.second, value.microsecond)
    seconds, microseconds = _since_1970(value)
    days, seconds = divmod(seconds, 86400)
    day = str(np.datetime64(days, "D"))
    return day if not seconds and not microseconds else f"{day} {clock_text(seconds, microseconds)}"


def clock_text(seconds: int, microseconds: int) -> str:
    """A time of day: ``12:30:00``, ``12:30:00.25``."""
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + f".{microseconds:06}".rstrip("0") if microseconds else text


def is_missing(value: Any) -> bool:
    """Whether it is None, NaN, the empty text or a data frame's mark for nothing."""
    if isinstance(value, str) or value is None:
        return not value
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA refuses to say; an array cannot
        return not isinstance(value, np.ndarray)


def number_of(value: Any, spelling: Spelling) -> float:
    """A value as a number, NaN for a missing one: a moment in seconds since 1970, a duration in seconds.

    Raises:
        ValueError: it is no number, or infinite.
    """
    if isinstance(value, str):
        return _number_of_text(value, spelling)
    if is_missing(value):
        return math.nan
    if isinstance(value, date | time):
        return _seconds(value)
    if isinstance(value, timedelta):
        return value.days * 86400 + value.seconds + value.microseconds / 1e6
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected a finite number, found {value!r}") from None
    if math.isinf(number):
        raise ValueError(f"expected a finite number, found {value!r}")
    return math.nan if number in spelling.missing_numbers else number


class Places:
    """Finds values among the texts of a vocabulary: ``values[i]`` has place ``i + 1``, all else 0.

    A number that a column of texts does not hold as such is looked for among the texts that spell it: ``7`` finds
    ``007`` if no other text spells seven. So does a whole number that lost digits as float64.
    """

    def __init__(self, values: Sequence[str], kind: ValueKind, spelling: Spelling) -> None:
        self._kind = kind
        self._spelling = spelling
        self._values = values
        self._places: dict[str, int] = {value: place for place, value in enumerate(values, 1)}

    def find(self, value: Any) -> int:
        """The place of a value as it comes: a text, a number, a boolean, a moment.

        Raises:
            ValueError: it is none of these.
        """
        if isinstance(value, str):
            return 0 if value in self._spelling.missing else self._find_text(value)
        if is_missing(value):
            return 0
        if isinstance(value, bool):
            return self._find_boolean(value)
        if isinstance(value, date | time):
            return self._places.get(moment_text(value), 0)
        if isinstance(value, timedelta):
            value = value.days * 86400 + value.seconds + value.microseconds / 1e6
        if isinstance(value, Decimal) and value.is_finite():
            value = int(value) if value == value.to_integral_value() else float(value)
        if not isinstance(value, int):
            try:
                value = float(value)
            except (TypeError, ValueError, OverflowError):
                raise ValueError(f"expected a text or a number, found {value!r}") from None
        return self._find_number(value)

    def find_text(self, text: str, kind: ValueKind) -> int:
        """The place of a value that has this text in a column of another kind."""
        match kind:
            case "integer":
                return self._find_number(int(text))
            case "number":
                return self._find_number(float(text))
            case "boolean":
                return self._find_boolean(text == "true")
        return self._find_text(text)

    def _find_text(self, text: str) -> int:
        match self._kind:
            case "integer" | "number":
                number = parse_number(text, self._spelling)
                if number is None:
                    boolean = _BOOLEANS.get(text.strip().lower())
                    return self._find_boolean(boolean == "true") if boolean else 0
                return self._find_number(number)
            case "boolean":
                known = _BOOLEANS.get(text.strip().lower())
                number = None if known else parse_number(text, self._spelling)
                return self._places.get(known or "", 0) if number is None else self._find_number(number)
            case "time":
                moment = parse_moment(text, self._spelling)
                return 0 if moment is None else self._places.get(moment_text(moment), 0)
        return self._places.get(text, 0)

    def _find_number(self, value: float) -> int:
        if math.isnan(value) or value in self._spelling.missing_numbers:
            return 0
        if self._kind == "boolean":
            return self._places.get({1.0: "true", 0.0: "false"}.get(float(value), ""), 0)
        if self._kind == "number" and isinstance(value, int) and abs(value) >= EXACT:
            value = float(value)
        found = self._places.get(number_text(value))
        if found is not None:
            return found
        if isinstance(value, int) and abs(value) >= EXACT:
            return 0  # as float64 it would be taken for its neighbours
        return self._by_number.get(float(value), 0)

    def _find_boolean(self, value: bool) -> int:
        text = "true" if value else "false"
        if self._kind in ("integer", "number"):
            return self._find_number(int(value))
        return self._places.get(text) or self._by_boolean.get(text, 0)

    @cached_property
    def _by_number(self) -> Mapping[float, int]:
        numbers = [parse_number(value, self._spelling) for value in self._values]
        return _unique([None if number is None else float(number) for number in numbers])

    @cached_property
    def _by_boolean(self) -> Mapping[str, int]:
        return _unique([low if (low := value.strip().lower()) in ("true", "false") else None for value in self._values])


def _unique(keys: Sequence[Any]) -> dict[Any, int]:
    """The place of each key that occurs once."""
    places: dict[Any, int] = {}
    for place, key in enumerate(keys, 1):
        if key is not None:
            places[key] = 0 if key in places else place
    return places


def _number_of_text(text: str, spelling: Spelling) -> float:
    stripped = text.strip()
    if stripped in MISSING_TEXTS or text in spelling.missing or stripped in spelling.missing:
        return math.nan
    number = parse_number(text, spelling)
    if number is not None:
        found = float(number)
        if math.isinf(found):
            raise ValueError(f"expected a finite number, found {text!r}")
        return math.nan if found in spelling.missing_numbers else found
    if stripped.lower() in ("true", "false"):
        return float(stripped.lower() == "true")
    moment = parse_moment(stripped, spelling)
    if moment is None:
        raise ValueError(f"expected a finite number, found {text!r}")
    return _seconds(moment)


def _seconds(value: date | time) -> float:
    """Seconds since 1970 in UTC, or since midnight for a time of day."""
    if isinstance(value, time):
        return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    seconds, microseconds = _since_1970(value)
    return seconds + microseconds / 1e6


def _since_1970(value: date) -> tuple[int, int]:
    """Whole seconds, and microseconds from 0."""
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC if moment.tzinfo else None)
    return since.days * 86400 + since.seconds, since.microseconds


_PATTERNS: dict[tuple[str, str], re.Pattern[str]] = {}


def _numbers(decimal: str, thousands: str) -> re.Pattern[str]:
    key = (decimal, thousands)
    if key not in _PATTERNS:
        _PATTERNS[key] = re.compile(number_pattern(decimal, thousands))
    return _PATTERNS[key]
