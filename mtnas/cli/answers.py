"""Commands about answers: routes, reports, exports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from mtnas.cli.connection import connect, console
from mtnas.cli.watching import column_lines, follow
from mtnas.client import Client
from mtnas.errors import ExportError, NotFoundError
from mtnas.messages import Export, Route

_DIGEST_SHOWN, _DIGEST_LENGTH = 16, 64


def routes(job_id: str | None, *, sort: str, limit: int, url: str, token: str | None) -> None:
    """List routes with their figures."""
    with connect(url, token) as client:
        page = client.routes(job_id, sort=sort, limit=limit)
    console.print(route_table(page.items, sort=sort))


def report(job_id: str, *, as_json: bool, url: str, token: str | None) -> None:
    """Show the answer of a job."""
    with connect(url, token) as client:
        answer = client.report(job_id).report
    if as_json:
        console.print_json(json.dumps(answer))
        return
    print_answer(answer)


def print_answer(answer: Mapping[str, Any]) -> None:
    """A report as a table, its verdict in words, and what to take."""
    console.print(report_table(answer))
    for line in column_lines(answer.get("columns", ())):
        console.print(line, markup=False, highlight=False)
    for warning in answer.get("warnings", ()):
        console.print(f"warning: {warning}", markup=False, highlight=False)
    console.print(f"data {answer['data_digest'][:_DIGEST_SHOWN]}, test part read by {answer['test_reads']} job(s)")
    console.print(f"verdict: {answer['verdict'] or answer['verdict_reason'] or 'none'}", markup=False)
    for sentence in answer.get("words", ()):
        console.print(f"  {sentence}", markup=False, highlight=False)
    if (advice := answer.get("recommendation")) is not None:
        console.print(f"take {advice['take']}: {advice['why']}", markup=False, highlight=False)
    front = answer.get("front", {})
    if front.get("hypervolume") is not None:
        beyond = ", ".join(f"{name} {value:.5g}" for name, value in front["reference"].items())
        volumes = f"{front['hypervolume']:.5g} (baselines alone {front['of_baselines']:.5g})"
        console.print(f"front: {', '.join(front['labels'])}; hypervolume {volumes} beyond {beyond}", markup=False)
    console.print(f"best route: {answer['best']['route_digest']}", highlight=False)


def export(route: str, output: Path, *, url: str, token: str | None) -> None:
    """Download a route's module, training it first when there is none yet."""
    with connect(url, token) as client:
        digest = full_digest(client, route)
        ready = [item for item in client.exports(digest).items if item.state == "ready"]
        wanted = ready[0] if ready else _make(client, digest)
        client.download(wanted.id, output)
    console.print(f"export {wanted.id} unpacked into {output}", markup=False, highlight=False)


def route_table(items: tuple[Route, ...], *, sort: str) -> Table:
    """Routes as rows; their figures as columns, those of the search phase only when asked for."""
    names = dict.fromkeys(name for route in items for name in route.values)
    shown = [name for name in names if not name.startswith("search.") or name == sort.removeprefix("-")]
    table = Table("rank", "route", "role", "label", *shown, "params", "macs")
    table.columns[1].no_wrap = True
    for route in items:
        figures = [_figure(route.values.get(name)) for name in shown]
        rank = "" if route.rank is None else str(route.rank)
        costs = (f"{route.num_params:,}", f"{route.macs:,}")
        table.add_row(rank, route.digest[:_DIGEST_SHOWN], route.role, route.label, *figures, *costs)
    return table


def report_table(answer: Mapping[str, Any]) -> Table:
    """Routes and baselines of a report, the tasks' figures on ``test`` as means and deviations over seeds."""
    columns = [f"{task['name']} {task['metric']}" for task in answer["tasks"]]
    latency = answer.get("latency")
    timed = [] if latency is None else [f"us / {latency['rows']} rows"]
    table = Table("label", *columns, "mean gain", "params", "macs", *timed, "seeds", "device s")
    for row in answer["rows"]:
        figures = [_spread(row["per_task"][task["name"]]["test"]) for task in answer["tasks"]]
        costs = [_count(row["num_params"]), _count(row["macs"]), *(_figure(row["latency_us"]) for _ in timed)]
        seeds = f"{row['seeds']}" + (f" ({row['failed']} failed)" if row["failed"] else "")
        seconds = _figure(row["device_seconds"])
        table.add_row(row["label"], *figures, _spread(row["mean_gain"]), *costs, seeds, seconds)
    return table


def full_digest(client: Client, start: str) -> str:
    """The digest of the one route whose digest begins so.

    Raises:
        NotFoundError: there is none, or more than one.
    """
    if len(start) == _DIGEST_LENGTH:
        return start
    found, cursor = set[str](), None
    while True:
        page = client.routes(limit=500, cursor=cursor)
        found |= {route.digest for route in page.items if route.digest.startswith(start)}
        cursor = page.next
        if cursor is None:
            break
    if len(found) != 1:
        raise NotFoundError(
            expected="the beginning of one route's digest", found=f"{len(found)} routes", where=repr(start)
        )
    return found.pop()


def _make(client: Client, route: str) -> Export:
    asked = client.export(route)
    job = follow(client, asked.job_id, console)
    made = client.export_state(asked.id)
    if made.state != "ready":
        detail = (made.failure or job.failure or {}).get("detail", job.state)
        raise ExportError(expected="a finished export", found=str(detail), where=f"job {job.id}")
    return made


def _spread(summary: Mapping[str, float | None]) -> str:
    mean, deviation = summary["mean"], summary["deviation"]
    if mean is None:
        return "-"
    return f"{mean:.4f}" if deviation is None else f"{mean:.4f} ± {deviation:.4f}"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _figure(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
