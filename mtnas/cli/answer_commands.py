"""Commands about answers: routes, reports, exports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtnas.cli.app import DEFAULT_URL, AsJson, Token, Url, app


@app.command()
def routes(
    job: Annotated[str | None, typer.Argument(help="Job; without it, the routes of all jobs.")] = None,
    sort: Annotated[str, typer.Option(help="Figure to sort by; - before it: largest first.")] = "rank",
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List the routes that were found."""
    from mtnas.cli import answers

    answers.routes(job, sort=sort, limit=limit, as_json=as_json, url=url, token=token)


@app.command()
def report(
    job: str,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As one Markdown document.")] = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show the answer of a job."""
    from mtnas.cli import answers

    answers.report(job, as_json=as_json, as_text=markdown, url=url, token=token)


@app.command()
def compare(
    routes: Annotated[list[str], typer.Argument(help="Digests of two or more routes, or their beginnings.")],
    job: Annotated[str | None, typer.Option("--job", "-j", help="Compare by this job's figures.")] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Put routes side by side: figures, costs, and who shares what where they differ."""
    from mtnas.cli import answers

    answers.compare(routes, job_id=job, as_json=as_json, url=url, token=token)


@app.command()
def export(
    route: Annotated[str, typer.Argument(help="Digest of the route, or its beginning.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to unpack the module into.")],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Download a route as a PyTorch module, after training it when that has not been done."""
    from mtnas.cli import answers

    answers.export(route, output, as_json=as_json, url=url, token=token)
