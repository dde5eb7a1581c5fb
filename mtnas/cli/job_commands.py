"""Commands about jobs: submit, look, follow, rest, go on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtnas.cli.app import DEFAULT_URL, AsJson, Token, Url, app


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="Job specification, YAML or JSON; - reads standard input.")],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the job until it has ended.")] = False,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key makes no second job.")] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Submit a search job."""
    from mtnas.cli import jobs

    jobs.submit(file, watch=watch, key=key, as_json=as_json, url=url, token=token)


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="Job specification, YAML or JSON; - reads standard input.")],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Say what a specification would do, without making a job."""
    from mtnas.cli import jobs

    jobs.validate(file, as_json=as_json, url=url, token=token)


@app.command(name="jobs")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List jobs, newest first."""
    from mtnas.cli import jobs

    jobs.list_jobs(state=state, limit=limit, as_json=as_json, url=url, token=token)


@app.command()
def show(job: str, as_json: AsJson = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Show one job."""
    from mtnas.cli import jobs

    jobs.show(job, as_json=as_json, url=url, token=token)


@app.command()
def watch(job: str, as_json: AsJson = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Follow a job until it has ended: phase, progress, throughput and time left."""
    from mtnas.cli import jobs

    jobs.watch(job, as_json=as_json, url=url, token=token)


@app.command()
def cancel(job: str, as_json: AsJson = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Ask for a job to stop."""
    from mtnas.cli import jobs

    jobs.cancel(job, as_json=as_json, url=url, token=token)


@app.command()
def delete(job: str, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Delete a job that has ended, with all that it found."""
    from mtnas.cli import jobs

    jobs.delete(job, url=url, token=token)


@app.command()
def pause(job: str, as_json: AsJson = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Ask a running job to rest; what is finished stays."""
    from mtnas.cli import jobs

    jobs.pause(job, as_json=as_json, url=url, token=token)


@app.command()
def resume(job: str, as_json: AsJson = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Queue a paused job again."""
    from mtnas.cli import jobs

    jobs.resume(job, as_json=as_json, url=url, token=token)


@app.command()
def retry(
    job: Annotated[str, typer.Argument(help="A job that has failed or was cancelled.")],
    report: Annotated[bool, typer.Option("--report", help="Report on what is there instead of searching on.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Try a job again, from what it has finished; or report on what its search has found, as a new job."""
    from mtnas.cli import jobs

    jobs.retry(job, report=report, as_json=as_json, url=url, token=token)


@app.command()
def extend(
    job: Annotated[str, typer.Argument(help="A search that has ended.")],
    budget: Annotated[
        list[str], typer.Option("--budget", "-b", help="A limit to set, as trials=128; may be repeated.")
    ],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the job until it has ended.")] = False,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key makes no second job.")] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Go on with a finished search, as a new job that begins with its trials and has more budget."""
    from mtnas.cli import jobs

    jobs.extend(job, budget, watch=watch, key=key, as_json=as_json, url=url, token=token)


@app.command("add-tasks")
def add_tasks(
    job: Annotated[str, typer.Argument(help="A search that has succeeded.")],
    file: Annotated[Path, typer.Argument(help="YAML or JSON: tasks, and what the new search does differently.")],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the job until it has ended.")] = False,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key makes no second job.")] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Add tasks to what a finished search has trained, as a new search that leaves the old tasks as they are."""
    from mtnas.cli import jobs

    jobs.add_tasks(job, file, watch=watch, key=key, as_json=as_json, url=url, token=token)
