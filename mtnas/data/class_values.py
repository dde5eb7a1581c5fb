"""What the values of a label mean: which of two is the positive one, which classes there are and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtnas.data.columns.column import codes_of, parse_number
from mtnas.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtnas.data.columns.column_type import Column

ZERO_AND_ONE = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}
OPPOSITES = (
    ("no", "yes"),
    ("n", "y"),
    ("f", "t"),
    ("-1", "1"),
    ("off", "on"),
    ("neg", "pos"),
    ("negative", "positive"),
)
MOST_CLASSES = 1000  # that are found rather than declared

Classes = tuple[str, ...]


def two_values(column: Column, *, name: str, positive: str | None) -> tuple[NDArray[np.float64], Classes]:
    """Zeros and ones, NaN where missing, and the texts of both values (none for plain zeros and ones).

    Numbers between 0 and 1 are probabilities (soft labels), and stay.

    Args:
        column: two distinct values, whatever they are.
        name: of the column, for messages.
        positive: the value that counts as 1; ``None`` takes 1, true, yes, y, t, on or positive.

    Raises:
        DataError: more than two values, two of which none is known to be positive, or no such ``positive``.
    """
    codes = codes_of(column, name=name)
    spelled = [spelling(text) for text in codes.texts]
    if positive is not None:
        meaning, names = _named(codes.texts, spelled, positive=positive, name=name)
    elif all(text in ZERO_AND_ONE for text in spelled):
        meaning, names = [ZERO_AND_ONE[text] for text in spelled], ()
    elif (found := _opposites(codes.texts, spelled)) is not None:
        meaning, names = found
    elif all((number := parse_number(text)) is not None and 0 <= number <= 1 for text in codes.texts):
        meaning, names = [float(text) for text in codes.texts], ()
    else:
        known = [text in ZERO_AND_ONE for text in spelled]
        row = int(np.array([*(not one for one in known), False])[codes.indices].argmax())
        few = len(set(spelled)) == 2
        raise DataError(
            expected="0, 1, true or false, yes or no, -1 or 1, or probabilities as binary label"
            + (" (any two values with the task's 'positive')" if few else ""),
            found=f"{codes.texts[codes.indices[row]][:80]!r} of {_listed(codes.texts)}",
            where=f"column {name!r}, row {row + 1}",
        )
    return np.array([*meaning, np.nan], dtype=np.float64)[codes.indices], names


def several_values(column: Column, *, name: str, num_classes: int) -> tuple[NDArray[np.float64], Classes]:
    """Numbers of classes, NaN where missing, and the texts of the classes, in their order.

    Classes are the values that occur, in the order of the numbers if they are all numbers, else of the texts. Whole
    numbers from 0 on are their own classes, of which some may not occur where ``num_classes`` says so; texts that do
    not occur are no classes, since nobody could name them.

    Args:
        column: any values.
        name: of the column, for messages.
        num_classes: how many there should be; 0 takes those that there are.

    Raises:
        DataError: another number of classes than there should be, or too many.
    """
    codes = codes_of(column, name=name)
    numbers = [parse_number(text) for text in codes.texts]
    if any(number is None or np.isinf(number) for number in numbers):
        names = tuple(sorted(codes.texts))
        _check_count(len(names), min(num_classes, len(names)), name=name, what="texts")
        return np.array([*map(names.index, codes.texts), np.nan], dtype=np.float64)[codes.indices], names
    values = np.array([*numbers, np.nan], dtype=np.float64)[codes.indices]
    distinct = np.unique(values[~np.isnan(values)])
    if num_classes and np.isin(distinct, np.arange(num_classes)).all():
        return values, tuple(map(str, range(num_classes)))
    if num_classes and len(distinct) != num_classes:
        wrong = ~np.isnan(values) & ~np.isin(values, np.arange(num_classes))
        row = int(wrong.argmax())
        raise DataError(
            expected=f"classes from 0 to {num_classes - 1}, or {num_classes} different values",
            found=f"{values[row]:g} of {_listed([f'{value:g}' for value in distinct])}",
            where=f"column {name!r}, row {row + 1}",
        )
    _check_count(len(distinct), num_classes, name=name, what="numbers")
    places = np.where(np.isnan(values), np.nan, np.searchsorted(distinct, np.nan_to_num(values)))
    return places, tuple(_number_text(value) for value in distinct)


def _check_count(found: int, num_classes: int, *, name: str, what: str) -> None:
    where = f"column {name!r}"
    if num_classes and found != num_classes:
        expected = f"{num_classes} classes (num_classes; left out, it is what occurs)"
        raise DataError(expected=expected, found=f"{found} different {what}", where=where)
    if found > MOST_CLASSES and not num_classes:
        expected = f"at most {MOST_CLASSES} classes unless num_classes says how many"
        raise DataError(expected=expected, found=f"{found} different {what}", where=where)
    if found < 2:
        raise DataError(expected="a label that varies", found=f"{found} class", where=where)


def _named(texts: Sequence[str], spelled: Sequence[str], *, positive: str, name: str) -> tuple[list[float], Classes]:
    wanted = spelling(positive)
    if wanted not in spelled or len(set(spelled)) > 2:
        expected = f"two values, one of which is the positive {positive!r}"
        raise DataError(expected=expected, found=_listed(texts), where=f"column {name!r}")
    meaning = [1.0 if text == wanted else 0.0 for text in spelled]
    return meaning, _names(texts, meaning)


def _opposites(texts: Sequence[str], spelled: Sequence[str]) -> tuple[list[float], Classes] | None:
    for pair in OPPOSITES:
        if all(text in pair for text in spelled):
            meaning = [float(pair.index(text)) for text in spelled]
            return meaning, _names(texts, meaning)
    return None


def _names(texts: Sequence[str], meaning: Sequence[float]) -> Classes:
    """The first text of each meaning; a value that does not occur has no name, and the label does not vary."""
    of = {value: text for text, value in reversed(list(zip(texts, meaning, strict=True)))}
    return (of.get(0.0, ""), of.get(1.0, ""))


def spelling(text: str) -> str:
    """One text for all spellings of a value: case, spaces and ``1.0`` for ``1`` do not matter."""
    stripped = text.strip()
    number = parse_number(stripped)
    return stripped.casefold() if number is None or not np.isfinite(number) else _number_text(number)


def _number_text(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 2**53 else repr(float(number))


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(repr(text[:40]) for text in sorted(texts)[:5])
    return f"{len(texts)} different values: {shown}{' and more' if len(texts) > 5 else ''}"
