"""Problem documents (RFC 9457, less the HTTP part): one text for an error in the API, a failed job or a terminal."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from mtnas.errors import MtnasError, ServiceError, SpecError

TYPE_PREFIX = "urn:mtnas:problem:"
_MAX_FOUND = 200
MAX_ERRORS = 20
"""Problems told of one document; whoever has mended those hears of the rest."""
_MAX_READ = 500  # of pydantic's errors, of which several may tell of one problem


def to_document(error: MtnasError) -> dict[str, Any]:
    """The error as a JSON document; ``from_document`` makes it an error again."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    return {
        "type": TYPE_PREFIX + words.replace(" ", "-"),
        "title": words.capitalize(),
        "detail": str(error),
        "expected": error.expected,
        "found": error.found,
        "where": error.where,
    }


def from_document(document: Mapping[str, Any]) -> MtnasError:
    """The error a problem document tells of; a ``ServiceError`` for a type that mtnas does not define."""
    kind = _classes_by_type().get(str(document.get("type", "")), ServiceError)
    return kind(
        expected=str(document.get("expected", "an answer")),
        found=str(document.get("found", document.get("detail", document.get("title", "a refusal")))),
        where=str(document.get("where", document.get("instance", "service"))),
    )


def from_validation(errors: Sequence[Mapping[str, Any]], document: Any) -> tuple[SpecError, ...]:
    """What pydantic found wrong, as our errors, one a place, ``MAX_ERRORS`` at most.

    Args:
        errors: ``ValidationError.errors()``.
        document: the input that was validated. Pydantic's locations also name the members of unions; walking the
            input tells those from real fields. With ``None`` locations are taken as they are.
    """
    expected_by_place: dict[tuple[str, str], list[str]] = {}
    errors = errors[:_MAX_READ]
    for error in errors:
        if error["type"] == "too_short" and any(_lies_below(other, error) for other in errors):
            continue  # items are missing only because they are wrong, which is told
        where = place(_real_location(error, document))
        inner = error.get("ctx", {}).get("error")
        if isinstance(inner, MtnasError):
            where, expected, found = ", ".join(filter(None, (where, inner.where))), inner.expected, inner.found
        else:
            expected, found = _expected(error), _found(error)
        expected_by_place.setdefault((where or "request", found), []).append(expected)
    return tuple(
        SpecError(expected=" or ".join(dict.fromkeys(expected)), found=found, where=where)
        for (where, found), expected in islice(expected_by_place.items(), MAX_ERRORS)
    )


def place(location: Sequence[str | int]) -> str:
    """A location as a path: ``("tasks", 1, "label")`` is ``tasks[1].label``."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _classes_by_type() -> dict[str, type[MtnasError]]:
    found: dict[str, type[MtnasError]] = {}
    waiting: list[type[MtnasError]] = [MtnasError]
    while waiting:
        kind = waiting.pop()
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()
        found[TYPE_PREFIX + words] = kind
        waiting.extend(kind.__subclasses__())
    return found


def _lies_below(error: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    location, above = tuple(error["loc"]), tuple(other["loc"])
    return len(location) > len(above) and location[: len(above)] == above


def _real_location(error: Mapping[str, Any], document: Any) -> list[str | int]:
    """The steps of a pydantic location that exist in the input, and the missing field itself."""
    location = error["loc"]
    if document is None:
        return list(location)
    steps: list[str | int] = []
    current = document
    for index, step in enumerate(location):
        if isinstance(current, Mapping) and step in current:
            current = current[step]
        elif isinstance(current, Sequence) and not isinstance(current, str) and isinstance(step, int):
            current = current[step] if step < len(current) else None
        elif not (error["type"] == "missing" and index == len(location) - 1):
            continue
        steps.append(step)
    return steps


def _expected(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "a value"
    if error["type"] == "extra_forbidden":
        return "a known field"
    if error["type"] == "json_invalid":
        return f"JSON ({error['ctx']['error']})"
    if error["type"] == "union_tag_not_found":
        return f"a field {error['ctx']['discriminator']}"
    message = str(error["msg"]).split(" after validation")[0]
    for prefix in ("Input should be ", "Value error, ", "Tuple should have ", "String should have "):
        message = message.removeprefix(prefix)
    return message


def _found(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "nothing"
    if error["type"] == "extra_forbidden":
        return f"field {error['loc'][-1]!r}"
    if error["type"] == "json_invalid":
        return f"something else at character {error['loc'][-1]}"
    if error["type"] in ("too_many", "too_deep"):
        return str(error["ctx"]["found"])
    text = _brief().repr(error.get("input"))
    return text if len(text) <= _MAX_FOUND else text[:_MAX_FOUND] + "..."


def _brief() -> reprlib.Repr:
    """Says no more of a large value than is shown, so that telling what was found costs nothing."""
    brief = reprlib.Repr()
    for limit in [name for name in vars(brief) if name.startswith("max") and name != "maxlevel"]:
        setattr(brief, limit, _MAX_FOUND + 1)
    return brief
