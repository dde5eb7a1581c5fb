"""Reading a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSentEvent:
    """One event of a stream."""

    event: str
    data: str
    id: str


def read_events(chunks: Iterable[str]) -> Iterator[ServerSentEvent]:
    """The events of a stream, given its text in pieces of any length; comments and unknown fields are passed over."""
    event, last_id = "message", ""
    data: list[str] = []
    for line in _lines(chunks):
        if not line:
            if data:
                yield ServerSentEvent(event=event, data="\n".join(data), id=last_id)
            event, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            event = value
        elif field == "id":
            last_id = value


def _lines(chunks: Iterable[str]) -> Iterator[str]:
    # Not str.splitlines: it also splits at characters that may stand inside JSON, such as U+2028.
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        yield from (line.removesuffix("\r") for line in lines)
