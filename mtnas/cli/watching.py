"""Watching a job in a terminal: one live line with throughput and time left, and a line for every phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from mtnas.client import Client
from mtnas.messages import Event, Job

_MOST_NAMES = 20


def follow(client: Client, job_id: str, console: Console) -> Job:
    """Show a job's events until it has ended; gives the job as it ended."""
    with Live(console=console, transient=True, refresh_per_second=4, auto_refresh=console.is_terminal) as live:
        for event in client.events(job_id):
            if event.kind == "progress":
                live.update(Text(progress_line(event.payload)), refresh=console.is_terminal)
            elif (line := event_line(event)) is not None:
                live.console.print(line, markup=False, highlight=False)
    return client.job(job_id)


def event_line(event: Event) -> str | None:
    """A line for an event that a reader wants to see, or ``None``."""
    text = event_text(event.kind, event.payload)
    return None if text is None else f"{event.at.astimezone():%H:%M:%S}  {text}"


def event_text(kind: str, payload: Mapping[str, Any]) -> str | None:
    """What an event says to a reader, or ``None``."""
    match kind:
        case "phase":
            return f"phase {payload.get('phase')}"
        case "state":
            failure = payload.get("failure") or {}
            detail = f": {failure['detail']}" if "detail" in failure else ""
            return f"{payload.get('state')} (attempt {payload.get('attempt')}){detail}"
        case "request":
            return f"asked: {', '.join(payload)}"
        case "search_ended":
            return f"search ended by {payload.get('reason')}: {payload.get('detail')}"
        case "columns":
            return "\n".join(column_lines(payload.get("columns") or ())) or None
        case "warning":
            return f"warning: {payload.get('text')}"
    return None


def column_lines(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """How the columns were read: inputs by kind, labels, and why the others were left out."""
    read: dict[str, list[str]] = {}
    for column in columns:
        if column["use"] == "left_out":
            read.setdefault("left out", []).append(f"{column['name']!r} ({column['reason']})")
        else:
            group = f"{column['read_as']} inputs" if column["use"] == "input" else column["use"]
            read.setdefault(group, []).append(str(column["name"]))
    return [f"columns, {group}: {_some(names)}" for group, names in read.items()]


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def progress_line(progress: Mapping[str, Any]) -> str:
    """Phase, packs, share done, throughput and time left; figures that are missing are left out."""
    parts = [str(progress.get("phase") or "working")]
    if "packs" in progress:
        parts.append(f"{progress.get('packs_done', 0)}/{progress['packs']} packs")
    if (share := progress.get("share")) is not None:
        parts.append(f"{100 * share:.0f} %")
    if rate := progress.get("candidate_steps_per_s"):
        parts.append(f"{rate:,.0f} candidate-steps/s")
    if (left_s := progress.get("seconds_left")) is not None:
        parts.append(f"{duration(left_s)} left")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """A duration for people: ``1 h 02 min``, ``3 min 07 s``, ``12 s``."""
    whole = max(round(seconds), 0)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 60} min {whole % 60:02} s" if whole >= 60 else f"{whole} s"
