"""``mtnas db`` and ``mtnas doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtnas.cli.app import AsJson, Home, app

db_app = typer.Typer(help="The service's database.", no_args_is_help=True)
app.add_typer(db_app, name="db")
_HOME = Path("var")


@db_app.command("upgrade")
def upgrade(home: Home = _HOME) -> None:
    """Bring the tables to this version. The service does so itself when it starts."""
    from mtnas.cli.operations import database

    database.upgrade(home)


@db_app.command("current")
def current(home: Home = _HOME) -> None:
    """Show the revision of the tables and the one that this version needs; changes nothing."""
    from mtnas.cli.operations import database

    database.current(home)


@db_app.command("backup")
def back_up(file: Annotated[Path, typer.Argument(help="Where to; must not be there yet.")], home: Home = _HOME) -> None:
    """Copy the database (SQLite) as it is at this moment; the service may go on meanwhile. Files are not copied."""
    from mtnas.cli.operations import database

    database.back_up(file, home)


@db_app.command("restore")
def restore(file: Annotated[Path, typer.Argument(help="A copy made by backup.")], home: Home = _HOME) -> None:
    """Put a copy in the database's place (SQLite). End the service first; what was there is kept beside it."""
    from mtnas.cli.operations import database

    database.restore(file, home)


@app.command()
def doctor(as_json: AsJson = False, home: Home = _HOME) -> None:
    """Look whether all is well: folders, database, files, workers, leases, tokens. Ends with 1 if something is not."""
    from mtnas.cli.operations import examination

    examination.doctor(home, as_json=as_json)
