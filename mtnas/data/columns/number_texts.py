"""Columns of texts that are numbers or moments after all, and texts that look like numbers in another spelling."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from mtnas.data.columns.value_text import Spelling, number_pattern, parse_moment

if TYPE_CHECKING:
    from mtnas.data.columns.column_type import Column

_FIRST = 100  # values that mostly tell a column of words
_UNITS = r"^\s*[$€£¥]?\s*[+-]?[0-9][0-9.,]*\s*[%$€£¥kKmM]?\s*$"
_ZERO_AND_GROUPS = r"^\s*[+-]?0+,"  # nobody writes 0,126 for a hundred and twenty-six
_OTHER_GROUPS = " \u00a0\u202f'’_"


def numbers_from_texts(column: Column, spelling: Spelling) -> Column | None:
    """The column as numbers if all its texts spell some: whole ones where all are; ``None`` if it stays as it is.

    Whole numbers beyond 64 bits stay texts, which keep their digits.
    """
    pattern = number_pattern(spelling.decimal, spelling.thousands)
    if not _all_match(column, pattern):
        return None
    encoded: Any = pc.dictionary_encode(column).unify_dictionaries().combine_chunks()
    texts = pc.utf8_trim_whitespace(encoded.dictionary)
    if spelling.thousands:
        texts = pc.replace_substring(texts, spelling.thousands, "")
    texts = pc.replace_substring_regex(pc.replace_substring(texts, spelling.decimal, "."), r"^\+", "")
    whole = bool(pc.all(pc.match_substring_regex(texts, r"^-?[0-9]+$")).as_py())
    for kind in (pa.int64(), pa.uint64()) if whole else (pa.float64(),):
        try:
            numbers = texts.cast(kind)
        except pa.ArrowInvalid:
            continue
        return pa.chunked_array([numbers.take(encoded.indices)])
    return None


def moments_from_texts(column: Column, date_format: str) -> Column | None:
    """The column as moments if all its texts are written in that format; ``None`` if it stays as it is."""
    spelling = Spelling(date_format=date_format)
    encoded: Any = pc.dictionary_encode(column).unify_dictionaries().combine_chunks()
    moments = []
    for text in encoded.dictionary.to_pylist():
        moment = parse_moment(text, spelling)
        if not isinstance(moment, date):
            return None
        moments.append(moment)
    if not moments:
        return None
    return pa.chunked_array([pa.array(moments, pa.timestamp("us")).take(encoded.indices)])


def look_of(column: Column) -> Literal["thousands", "decimal", "either", "other"] | None:
    """How a column of texts seems to write numbers.

    Returns:
        Commas between thousands, a comma before fractions (perhaps with points between thousands), one of the two,
        something else (blanks between groups, units, percent); ``None`` for texts that are no numbers, or plain ones.
    """
    if not _all_match(column, r"^[^A-Za-z]*[0-9][^A-Za-z]*[kKmM]?\s*$"):
        return None
    if _all_match(column, number_pattern()):
        return None
    thousands = _all_match(column, number_pattern(".", ",")) and not _any_match(column, _ZERO_AND_GROUPS)
    decimal = _all_match(column, number_pattern(",", "."))
    if thousands and decimal:
        return "either"
    if thousands or decimal:
        return "thousands" if thousands else "decimal"
    grouped = any(_all_match(column, number_pattern(point, group)) for point in ".," for group in _OTHER_GROUPS)
    return "other" if grouped or _all_match(column, _UNITS) else None


def looks_like_dates(column: Column) -> bool:
    """Whether its texts look like days that are not written as ISO 8601."""
    return _all_match(column, r"^\s*[0-9]{1,4}([/.-])[0-9]{1,2}[/.-][0-9]{1,4}([ T][0-9:.]+)?\s*$")


def groups_of_three(column: Column) -> bool:
    """Whether every text begins with three digits and a comma: three-digit codes as well as thousands."""
    return _all_match(column, r"^[0-9]{3},")


def some_texts(column: Column, *, count: int = 3) -> Sequence[str]:
    """A few of its texts, to show."""
    return [text for text in column.slice(0, 1000).unique().to_pylist() if text][:count]


def _any_match(column: Column, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, pattern)).as_py())


def _all_match(column: Column, pattern: str) -> bool:
    """Whether it has texts and all match."""
    for texts in (column.slice(0, _FIRST), column):
        if pc.any(pc.invert(pc.match_substring_regex(texts, pattern))).as_py():
            return False
    return column.null_count < len(column)
