"""The commands, and the one place where an error becomes text and an exit status."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mtnas.errors import MtnasError

USER_ERROR, INTERRUPTED = 2, 130

Url = Annotated[str, typer.Option("--url", envvar="MTNAS_URL", help="Where the service listens.")]
Token = Annotated[str | None, typer.Option("--token", envvar="MTNAS_TOKEN", help="Bearer token.", show_default=False)]
DEFAULT_URL = "http://127.0.0.1:8000"

app = typer.Typer(
    name="mtnas",
    help="Neural architecture search for multi-task sharing routes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


tokens_app = typer.Typer(help="Bearer tokens of the service.", no_args_is_help=True)
app.add_typer(tokens_app, name="token")
Home = Annotated[Path, typer.Option(envvar="MTNAS_HOME", help="Folder of the service's state.")]


def main() -> None:
    """Run the command line; every expected error ends it with one line that says what, where and why."""
    try:
        app()
    except MtnasError as error:
        print(f"mtnas: {error}", file=sys.stderr)
        for note in getattr(error, "__notes__", []):
            print(f"       {note}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@app.command()
def serve(
    host: Annotated[str, typer.Option(envvar="MTNAS_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="MTNAS_PORT", help="Port to listen on.")] = 8000,
    home: Annotated[Path, typer.Option(envvar="MTNAS_HOME", help="Folder of the service's state.")] = Path("var"),
    data_root: Annotated[
        list[Path] | None, typer.Option(help="Folder below which jobs may read files; may be repeated.")
    ] = None,
) -> None:
    """Start the API and a worker with its own Ray, and keep them running until Ctrl-C."""
    from mtnas.cli.serve import serve as run

    run(host=host, port=port, home=home, data_roots=tuple(data_root or ()))


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="Job specification (YAML, JSON), or data (CSV, Parquet) with --task.")],
    task: Annotated[
        list[str] | None, typer.Option("--task", "-t", help="A label column, as click or price:regression; repeatable.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the answer.")] = Path("mtnas-run"),
    level: Annotated[str | None, typer.Option(help="quick, standard or headline.", show_default=False)] = None,
    device: Annotated[str, typer.Option(help="Where networks are trained: cpu or cuda.")] = "cpu",
) -> None:
    """Run a job in this process, without a service: report, drawing and module land in a folder."""
    from mtnas.cli.here import run as run_here

    run_here(file, tasks=task or (), output=output, level=level, device=device)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Data: CSV or Parquet.")],
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="A label column, with :KIND or without; repeatable.")
    ] = None,
) -> None:
    """Write a job specification for a file of data to standard output, with comments."""
    from mtnas.cli.here import begin

    begin(file, labels=label or ())


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="Job specification, YAML or JSON; - reads standard input.")],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the job until it has ended.")] = False,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key makes no second job.")] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Submit a search job."""
    from mtnas.cli import jobs

    jobs.submit(file, watch=watch, key=key, url=url, token=token)


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="Job specification, YAML or JSON; - reads standard input.")],
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Say what a specification would do, without making a job."""
    from mtnas.cli import jobs

    jobs.validate(file, url=url, token=token)


@app.command(name="jobs")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List jobs, newest first."""
    from mtnas.cli import jobs

    jobs.list_jobs(state=state, limit=limit, url=url, token=token)


@app.command()
def show(job: str, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Show one job."""
    from mtnas.cli import jobs

    jobs.show(job, url=url, token=token)


@app.command()
def watch(job: str, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Follow a job until it has ended: phase, progress, throughput and time left."""
    from mtnas.cli import jobs

    jobs.watch(job, url=url, token=token)


@app.command()
def cancel(job: str, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Ask for a job to stop."""
    from mtnas.cli import jobs

    jobs.cancel(job, url=url, token=token)


@app.command()
def delete(job: str, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Delete a job that has ended, with all that it found."""
    from mtnas.cli import jobs

    jobs.delete(job, url=url, token=token)


@app.command()
def pause(job: str, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Ask a running job to rest; what is finished stays."""
    from mtnas.cli import jobs

    jobs.pause(job, url=url, token=token)


@app.command()
def resume(job: str, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Queue a paused job again."""
    from mtnas.cli import jobs

    jobs.resume(job, url=url, token=token)


@app.command()
def retry(
    job: Annotated[str, typer.Argument(help="A job that has failed or was cancelled.")],
    report: Annotated[bool, typer.Option("--report", help="Report on what is there instead of searching on.")] = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Try a job again, from what it has finished; or report on what its search has found, as a new job."""
    from mtnas.cli import jobs

    jobs.retry(job, report=report, url=url, token=token)


@app.command()
def extend(
    job: Annotated[str, typer.Argument(help="A search that has ended.")],
    budget: Annotated[
        list[str], typer.Option("--budget", "-b", help="A limit to set, as trials=128; may be repeated.")
    ],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the job until it has ended.")] = False,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key makes no second job.")] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Go on with a finished search, as a new job that begins with its trials and has more budget."""
    from mtnas.cli import jobs

    jobs.extend(job, budget, watch=watch, key=key, url=url, token=token)


@app.command("add-tasks")
def add_tasks(
    job: Annotated[str, typer.Argument(help="A search that has succeeded.")],
    file: Annotated[Path, typer.Argument(help="YAML or JSON: tasks, and what the new search does differently.")],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the job until it has ended.")] = False,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key makes no second job.")] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Add tasks to what a finished search has trained, as a new search that leaves the old tasks as they are."""
    from mtnas.cli import jobs

    jobs.add_tasks(job, file, watch=watch, key=key, url=url, token=token)


@app.command()
def routes(
    job: Annotated[str | None, typer.Argument(help="Job; without it, the routes of all jobs.")] = None,
    sort: Annotated[str, typer.Option(help="Figure to sort by; - before it: largest first.")] = "rank",
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List the routes that were found."""
    from mtnas.cli import answers

    answers.routes(job, sort=sort, limit=limit, url=url, token=token)


@app.command()
def report(
    job: str,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show the answer of a job."""
    from mtnas.cli import answers

    answers.report(job, as_json=as_json, url=url, token=token)


@app.command()
def export(
    route: Annotated[str, typer.Argument(help="Digest of the route, or its beginning.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to unpack the module into.")],
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Download a route as a PyTorch module, after training it when that has not been done."""
    from mtnas.cli import answers

    answers.export(route, output, url=url, token=token)


@tokens_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.")],
    role: Annotated[str, typer.Option(help="read, submit or admin: each may do what those before it may.")] = "submit",
    home: Home = Path("var"),
) -> None:
    """Make a token and show it, once. From the first one on, the service asks everybody for one."""
    from mtnas.cli import tokens

    tokens.create(name, role=role, home=home)


@tokens_app.command("list")
def list_tokens(home: Home = Path("var")) -> None:
    """Show what tokens there are; their texts are known to nobody."""
    from mtnas.cli import tokens

    tokens.list_tokens(home=home)


@tokens_app.command("revoke")
def revoke_token(token_id: str, home: Home = Path("var")) -> None:
    """Let a token open nothing any more; running services hear of it within seconds."""
    from mtnas.cli import tokens

    tokens.revoke(token_id, home=home)
