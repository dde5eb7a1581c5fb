"""Commands about answers: routes, reports, exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mtnas.cli.connection import aside, connect, console, print_json, table
from mtnas.cli.watching import column_lines, follow
from mtnas.client import Client
from mtnas.errors import ExportError, NotFoundError, SpecError
from mtnas.messages import Export, Route
from mtnas.reports.evidence import evidence
from mtnas.reports.markdown import as_markdown

_DIGEST_SHOWN, _DIGEST_LENGTH = 16, 64


def routes(job_id: str | None, *, sort: str, limit: int, as_json: bool, url: str, token: str | None) -> None:
    """List routes with their figures."""
    with connect(url, token) as client:
        page = client.routes(job_id, sort=sort, limit=limit)
    if as_json:
        print_json(page)
        return
    console.print(route_table(page.items, sort=sort))


def report(job_id: str, *, as_json: bool, as_text: bool, url: str, token: str | None) -> None:
    """Show the answer of a job; ``as_text`` as one Markdown document."""
    with connect(url, token) as client:
        answer = client.report(job_id).report
    if as_json:
        print_json(answer)
        return
    if as_text:
        print(as_markdown(answer, title=f"Report of job {job_id}"), end="")
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
    for sentence in evidence(answer):
        console.print(f"  {sentence}", markup=False, highlight=False)
    if (advice := answer.get("recommendation")) is not None:
        console.print(f"take {advice['take']}: {advice['why']}", markup=False, highlight=False)
    front = answer.get("front", {})
    if front.get("hypervolume") is not None:
        beyond = ", ".join(f"{name} {value:.5g}" for name, value in front["reference"].items())
        volumes = f"{front['hypervolume']:.5g} (baselines alone {front['of_baselines']:.5g})"
        console.print(f"front: {', '.join(front['labels'])}; hypervolume {volumes} beyond {beyond}", markup=False)
    console.print(f"best route: {answer['best']['route_digest']}", highlight=False)


def compare(routes: Sequence[str], *, job_id: str | None, as_json: bool, url: str, token: str | None) -> None:
    """Put routes side by side, by the figures of one job or of the newest that has each."""
    if len(routes) < 2:
        raise SpecError(expected="two routes or more", found=str(len(routes)), where="compare")
    with connect(url, token) as client:
        chosen = [route_in(client, text, job_id) for text in routes]
    if as_json:
        print_json({"items": [route.model_dump(mode="json") for route in chosen]})
        return
    console.print(comparison_table(chosen))
    if len({route.data_digest for route in chosen}) > 1:
        console.print("warning: these figures are of different data, and do not compare", style="yellow")


def route_in(client: Client, start: str, job_id: str | None) -> Route:
    """The route whose digest begins so, with its figures in a job, or in the newest that has it.

    Raises:
        NotFoundError: no such route there, or more than one.
    """
    if job_id is None:
        return client.route(full_digest(client, start))
    found = [route for route in _all_routes(client, job_id) if route.digest.startswith(start)]
    if len({route.digest for route in found}) != 1:
        raise NotFoundError(
            expected="the beginning of one route's digest", found=f"{len(found)} routes", where=f"{start!r} in {job_id}"
        )
    return found[0]


def export(route: str, output: Path, *, as_json: bool, url: str, token: str | None) -> None:
    """Download a route's module, training it first when there is none yet."""
    with connect(url, token) as client:
        digest = full_digest(client, route)
        ready = [item for item in client.exports(digest).items if item.state == "ready"]
        wanted = ready[0] if ready else _make(client, digest, aside if as_json else console)
        client.download(wanted.id, output)
    if as_json:
        print_json(wanted)
        return
    console.print(f"export {wanted.id} unpacked into {output}", markup=False, highlight=False)


def route_table(items: tuple[Route, ...], *, sort: str) -> Table:
    """Routes as rows; their figures as columns, those of the search phase only when asked for."""
    names = dict.fromkeys(name for route in items for name in route.values)
    wanted = [name for name in names if not name.startswith("search.") or name == sort.removeprefix("-")]
    shown = table("rank", "route", "role", "label", *wanted, "params", "macs")
    shown.columns[1].no_wrap = True
    for route in items:
        figures = [_figure(route.values.get(name)) for name in wanted]
        rank = "" if route.rank is None else str(route.rank)
        costs = (f"{route.num_params:,}", f"{route.macs:,}")
        shown.add_row(rank, route.digest[:_DIGEST_SHOWN], route.role, route.label, *figures, *costs)
    return shown


def report_table(answer: Mapping[str, Any]) -> Table:
    """Routes and baselines of a report, the tasks' figures on ``test`` as means and deviations over seeds."""
    columns = [f"{task['name']} {task['metric']}" for task in answer["tasks"]]
    latency = answer.get("latency")
    timed = [] if latency is None else [f"us / {latency['rows']} rows"]
    shown = table("label", *columns, "mean gain", "params", "macs", *timed, "seeds", "device s")
    for row in answer["rows"]:
        figures = [_spread(row["per_task"][task["name"]]["test"]) for task in answer["tasks"]]
        costs = [_count(row["num_params"]), _count(row["macs"]), *(_figure(row["latency_us"]) for _ in timed)]
        seeds = f"{row['seeds']}" + (f" ({row['failed']} failed)" if row["failed"] else "")
        seconds = _figure(row["device_seconds"])
        shown.add_row(row["label"], *figures, _spread(row["mean_gain"]), *costs, seeds, seconds)
    return shown


def comparison_table(routes: Sequence[Route]) -> Table:
    """Figures and costs a row, routes as columns; then the parts of the routes that not all of them have."""
    shown = table("", *(f"{route.digest[:_DIGEST_SHOWN]} {route.label}" for route in routes))
    for name in dict.fromkeys(name for route in routes for name in route.values):
        shown.add_row(name, *(_figure(route.values.get(name)) for route in routes))
    shown.add_row("params", *(_count(route.num_params) for route in routes))
    shown.add_row("macs", *(_count(route.macs) for route in routes), end_section=True)
    written = [_parts(route.text) for route in routes]
    for place in dict.fromkeys(place for parts in written for place in parts):
        if len(cells := [parts.get(place, "-") for parts in written]) != cells.count(cells[0]):
            shown.add_row(place, *cells)
    return shown


def _parts(text: str) -> dict[str, str]:
    """The places of a route by name, and what each holds or reads: ``task:a`` reads, ``l1.0`` is."""
    parts = {}
    for part in text.split("; "):
        place, sign, what = part.partition("<-") if "<-" in part else part.partition("=")
        parts[place] = f"{sign}{what}" if sign == "<-" else what
    return parts


def _all_routes(client: Client, job_id: str | None = None) -> Iterator[Route]:
    cursor = None
    while True:
        page = client.routes(job_id, limit=500, cursor=cursor)
        yield from page.items
        if (cursor := page.next) is None:
            return


def full_digest(client: Client, start: str) -> str:
    """The digest of the one route whose digest begins so.

    Raises:
        NotFoundError: there is none, or more than one.
    """
    if len(start) == _DIGEST_LENGTH:
        return start
    found = {route.digest for route in _all_routes(client) if route.digest.startswith(start)}
    if len(found) != 1:
        raise NotFoundError(
            expected="the beginning of one route's digest", found=f"{len(found)} routes", where=repr(start)
        )
    return found.pop()


def _make(client: Client, route: str, told: Console) -> Export:
    asked = client.export(route)
    job = follow(client, asked.job_id, told)
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
