"""Commands about what there is: data, search spaces, settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtnas.cli.app import DEFAULT_URL, AsJson, Token, Url, app

data_app = typer.Typer(help="Data: what a file holds, and what the service knows.", no_args_is_help=True)
app.add_typer(data_app, name="data")
config_app = typer.Typer(help="Settings of the service on this machine.", no_args_is_help=True)
app.add_typer(config_app, name="config")


@data_app.command("list")
def list_data(as_json: AsJson = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """List the data sets of the catalogue and the registered ones."""
    from mtnas.cli import catalogue

    catalogue.list_data(as_json=as_json, url=url, token=token)


@data_app.command()
def profile(
    data: Annotated[
        str, typer.Argument(help="A file on this machine (CSV, Parquet), or a name that the service knows.")
    ],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Say how every column would be read: of a file here, without a service, or of a data set by its name."""
    from mtnas.cli import catalogue

    catalogue.profile(data, as_json=as_json, url=url, token=token)


@data_app.command()
def register(
    name: Annotated[str, typer.Argument(help="What jobs will call it.")],
    path: Annotated[list[Path], typer.Argument(help="Files, folders or patterns below the service's data roots.")],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Register data under a name; the service profiles it."""
    from mtnas.cli import catalogue

    catalogue.register(name, [str(one) for one in path], as_json=as_json, url=url, token=token)


@data_app.command()
def upload(
    name: Annotated[str, typer.Argument(help="What jobs will call it.")],
    file: Annotated[list[Path], typer.Argument(help="CSV or Parquet files on this machine, of one schema.")],
    delimiter: Annotated[str | None, typer.Option(help="Between the fields of CSV files.", show_default=False)] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Send files to the service and register them under a name. Interrupted, the same command goes on."""
    from mtnas.cli import catalogue

    catalogue.upload(name, file, delimiter=delimiter, as_json=as_json, url=url, token=token)


@data_app.command()
def delete(
    name: Annotated[str, typer.Argument(help="Of a registered data set.")],
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Delete a registered data set and the files sent for it; refused while a job uses it."""
    from mtnas.cli import catalogue

    catalogue.delete(name, url=url, token=token)


@app.command()
def spaces(as_json: AsJson = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """List the search spaces, with their options and defaults."""
    from mtnas.cli import catalogue

    catalogue.spaces(as_json=as_json, url=url, token=token)


@config_app.command("show")
def show_config(as_json: AsJson = False) -> None:
    """Show every setting, its value here, and the variable that sets it."""
    from mtnas.cli import config

    config.show(as_json=as_json)
