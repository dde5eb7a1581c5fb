"""The commands, and the one place where an error becomes text and an exit status."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

import mtnas
from mtnas.errors import MtnasError

FAILED, USER_ERROR, INTERRUPTED = 1, 2, 130
"""Exit statuses beside 0: a job that did not succeed; a request or a place that is not right; Ctrl-C."""

Url = Annotated[str, typer.Option("--url", envvar="MTNAS_URL", help="Where the service listens.")]
Token = Annotated[str | None, typer.Option("--token", envvar="MTNAS_TOKEN", help="Bearer token.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
DEFAULT_URL = "http://127.0.0.1:8000"

app = typer.Typer(
    name="mtnas",
    help="Neural architecture search for multi-task sharing routes.",
    epilog="Exit status: 0 done; 1 the job failed or was cancelled; 2 the request is not right, or the service is not "
    "there; 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


tokens_app = typer.Typer(help="Bearer tokens of the service.", no_args_is_help=True)
app.add_typer(tokens_app, name="token")
Home = Annotated[Path, typer.Option(envvar="MTNAS_HOME", help="Folder of the service's state.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        print(mtnas.__version__)
        raise typer.Exit


@app.callback()
def _everywhere(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Neural architecture search for multi-task sharing routes."""


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


def all_commands() -> list[tuple[str, Any]]:
    """Every command by how it is called (``token create``), as click knows it."""

    def below(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            called = (*path, name)
            yield from below(command, called) if hasattr(command, "commands") else [(" ".join(called), command)]

    return list(below(typer.main.get_command(app), ()))
