"""The service's database from the command line."""

from __future__ import annotations

from pathlib import Path

from mtnas.places import Places
from mtnas.store import Store, maintenance


def upgrade(home: Path) -> None:
    """Bring the tables to this version."""
    places = Places(home=home.absolute())
    before, head = maintenance.current_revision(places.database)
    with Store.open(places.database, artifacts=places.artifacts):
        print(f"revision {head}" + (" already" if before == head else f", before: {before or 'none'}"))


def current(home: Path) -> None:
    """Show both revisions."""
    found, head = maintenance.current_revision(Places(home=home.absolute()).database)
    print(f"database {found or 'without tables'}, this version {head}")


def back_up(file: Path, home: Path) -> None:
    """Copy the database into a file."""
    places = Places(home=home.absolute())
    size = maintenance.backup(places.database, file.absolute())
    print(f"{file}: {size} bytes (files of jobs are in {places.artifacts}: copy that folder after this)")


def restore(file: Path, home: Path) -> None:
    """Put a copy in the database's place."""
    former = maintenance.restore(Places(home=home.absolute()).database, file.absolute())
    print(f"restored from {file}" + ("" if former is None else f"; what was there is in {former}"))
