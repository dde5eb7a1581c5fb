"""Commands about jobs: submit, validate, list, show, watch, cancel, pause, resume, retry, extend, add tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer
import yaml

from mtnas.cli.app import FAILED
from mtnas.cli.connection import aside, connect, console, print_json, read_spec, table
from mtnas.cli.watching import follow
from mtnas.client import Client
from mtnas.errors import SpecError
from mtnas.messages import Job, JobSummary

_STATE_STYLES = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "running": "cyan", "paused": "yellow"}


def submit(file: Path, *, watch: bool, key: str | None, as_json: bool, url: str, token: str | None) -> None:
    """Submit a specification; with ``watch``, follow the job."""
    _begin(lambda client: client.submit(read_spec(file), idempotency_key=key), watch, as_json, url, token)


def validate(file: Path, *, as_json: bool, url: str, token: str | None) -> None:
    """Say what a specification would do."""
    with connect(url, token) as client:
        plan = client.validate(read_spec(file))
    if as_json:
        print_json(plan)
        return
    console.print(f"valid: {plan.spec['name']}", highlight=False, markup=False)
    console.print(f"routes in the space: {plan.space_size}", highlight=False)
    for title, figures in (("cost of a route", plan.route_cost), ("estimate", plan.estimate)):
        if figures:
            console.print(f"{title}: " + ", ".join(f"{name} {value}" for name, value in figures.items()), markup=False)
    for warning in plan.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)


def list_jobs(*, state: str | None, limit: int, as_json: bool, url: str, token: str | None) -> None:
    """List jobs."""
    with connect(url, token) as client:
        page = client.jobs(state=state, limit=limit)
    if as_json:
        print_json(page)
        return
    shown = table("job", "name", "kind", "state", "phase", "created")
    for job in page.items:
        created = job.created_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        shown.add_row(job.id, job.name, job.kind, _styled(job), job.phase or "", created)
    console.print(shown)
    if page.next is not None:
        console.print(f"there are more than these {limit} (--limit)", highlight=False)


def show(job_id: str, *, as_json: bool, url: str, token: str | None) -> None:
    """Show one job."""
    with connect(url, token) as client:
        job = client.job(job_id)
    if as_json:
        print_json(job)
        return
    for name, value in (
        ("job", job.id),
        ("name", job.name),
        ("kind", job.kind),
        ("phase", job.phase or "-"),
        ("attempt", job.attempt),
        ("worker", job.worker or "-"),
    ):
        console.print(f"{name:8} {value}", highlight=False, markup=False)
    console.print(f"{'state':8} {_styled(job)}")
    if job.extends is not None:
        console.print(f"extends  {job.extends}", highlight=False)
    if job.stop is not None:
        console.print(f"ended by {job.stop['reason']}: {job.stop['detail']}", highlight=False, markup=False)
    if job.progress:
        console.print(f"progress {json.dumps(job.progress)}", markup=False)
    _print_failure(job)


def watch(job_id: str, *, as_json: bool, url: str, token: str | None) -> None:
    """Follow a job."""
    with connect(url, token) as client:
        _end(follow(client, job_id, aside if as_json else console), as_json)


def delete(job_id: str, *, url: str, token: str | None) -> None:
    """Delete a job that has ended."""
    with connect(url, token) as client:
        client.delete(job_id)
    console.print(f"job {job_id}: deleted", highlight=False)


def cancel(job_id: str, *, as_json: bool, url: str, token: str | None) -> None:
    """Ask for a job to stop."""
    with connect(url, token) as client:
        job = client.cancel(job_id)
    _told(job, "stopping" if job.cancel_requested and not job.is_final else job.state, as_json)


def pause(job_id: str, *, as_json: bool, url: str, token: str | None) -> None:
    """Ask a running job to rest."""
    with connect(url, token) as client:
        job = client.pause(job_id)
    _told(job, "pausing" if job.pause_requested else job.state, as_json)


def resume(job_id: str, *, as_json: bool, url: str, token: str | None) -> None:
    """Queue a paused job again."""
    with connect(url, token) as client:
        job = client.resume(job_id)
    _told(job, job.state, as_json)


def retry(job_id: str, *, report: bool, as_json: bool, url: str, token: str | None) -> None:
    """Try a failed or cancelled job again, or report on what it has found."""
    with connect(url, token) as client:
        job = client.report_found(job_id) if report else client.retry(job_id)
    _told(job, job.state, as_json)


def extend(
    job_id: str, limits: Sequence[str], *, watch: bool, key: str | None, as_json: bool, url: str, token: str | None
) -> None:
    """Go on with a search under other limits, written ``name=value``."""
    budget = dict(_limit(text) for text in limits)
    _begin(lambda client: client.extend(job_id, budget, idempotency_key=key), watch, as_json, url, token)


def add_tasks(
    job_id: str, file: Path, *, watch: bool, key: str | None, as_json: bool, url: str, token: str | None
) -> None:
    """Add the tasks that a file describes to what a finished search has trained."""
    _begin(lambda client: client.add_tasks(job_id, read_spec(file), idempotency_key=key), watch, as_json, url, token)


def _begin(make: Callable[[Client], Job], watch: bool, as_json: bool, url: str, token: str | None) -> None:
    """Make a job, say its name, and follow it where asked to."""
    with connect(url, token) as client:
        job = make(client)
        if watch:
            told = aside if as_json else console
            told.print(f"job {job.id}", highlight=False)
            _end(follow(client, job.id, told), as_json)
        elif as_json:
            print_json(job)
        else:
            console.print(f"job {job.id}", highlight=False)


def _told(job: Job, state: str, as_json: bool) -> None:
    if as_json:
        print_json(job)
    else:
        console.print(f"job {job.id}: {state}", highlight=False)


def _limit(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise SpecError(expected="name=value, such as trials=128", found=repr(text), where="--budget")
    return name, yaml.safe_load(value)


def _end(job: Job, as_json: bool) -> None:
    if as_json:
        print_json(job)
    else:
        console.print(f"job {job.id}: {_styled(job)}", highlight=False)
        _print_failure(job)
    if job.state != "succeeded":
        raise typer.Exit(FAILED)


def _print_failure(job: JobSummary) -> None:
    if job.failure is not None:
        console.print(f"{job.failure_kind}: {job.failure.get('detail')}", style="red", markup=False, highlight=False)


def _styled(job: JobSummary) -> str:
    style = _STATE_STYLES.get(job.state, "default")
    return f"[{style}]{job.state}[/{style}]"
