"""Commands about answers: routes, reports, exports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from mtnas.cli.connection import connect, console
from mtnas.cli.watching import follow
from mtnas.client import Client
from mtnas.errors import ExportError
from mtnas.messages import Export, Route

_DIGEST_SHOWN = 16


def routes(job_id: str | None, *, sort: str, limit: int, url: str, token: str | None) -> None:
    """List routes with their figures."""
    with connect(url, token) as client:
        page = client.routes(job_id, sort=sort, limit=limit)
    console.print(route_table(page.items))


def report(job_id: str, *, as_json: bool, url: str, token: str | None) -> None:
    """Show the answer of a job."""
    with connect(url, token) as client:
        answer = client.report(job_id).report
    if as_json:
        console.print_json(json.dumps(answer))
        return
    rows = answer.get("table")
    if isinstance(rows, list) and rows:
        console.print(figure_table(rows))
    for name, value in answer.items():
        if name != "table" and isinstance(value, str | int | float):
            console.print(f"{name}: {value}", markup=False, highlight=False)


def export(route: str, output: Path, *, url: str, token: str | None) -> None:
    """Download a route's module, training it first when there is none yet."""
    with connect(url, token) as client:
        ready = [item for item in client.exports(route).items if item.state == "ready"]
        wanted = ready[0] if ready else _make(client, route)
        client.download(wanted.id, output)
    console.print(f"export {wanted.id} unpacked into {output}", markup=False, highlight=False)


def route_table(items: tuple[Route, ...]) -> Table:
    """Routes as rows, their figures as columns."""
    names = list(dict.fromkeys(name for route in items for name in route.values))
    table = Table("rank", "route", "role", "label", *names, "params", "macs")
    for route in items:
        figures = [_figure(route.values.get(name)) for name in names]
        rank = "" if route.rank is None else str(route.rank)
        costs = (f"{route.num_params:,}", f"{route.macs:,}")
        table.add_row(rank, route.digest[:_DIGEST_SHOWN], route.role, route.label, *figures, *costs)
    return table


def figure_table(rows: list[Mapping[str, Any]]) -> Table:
    """Rows of any figures, the names as columns in the order of their first appearance."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*names)
    for row in rows:
        table.add_row(*(_figure(row.get(name)) for name in names))
    return table


def _make(client: Client, route: str) -> Export:
    asked = client.export(route)
    job = follow(client, asked.job_id, console)
    made = client.export_state(asked.id)
    if made.state != "ready":
        detail = (made.failure or job.failure or {}).get("detail", job.state)
        raise ExportError(expected="a finished export", found=str(detail), where=f"job {job.id}")
    return made


def _figure(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
