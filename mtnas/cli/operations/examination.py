"""``mtnas doctor``: one look at everything that has to be well for the service to work."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from mtnas.cli.app import FAILED
from mtnas.cli.connection import print_json
from mtnas.errors import MtnasError
from mtnas.places import Places
from mtnas.store import Store, maintenance

LEAST_FREE_BYTES = 2**30
Finding = tuple[str, str]
"""Whether it is well (``ok``, ``warning``, ``problem``), and what was seen."""


def doctor(home: Path, *, as_json: bool) -> None:
    """Show every finding; ends the process with status 1 if one of them is a problem."""
    places = Places(home=home.absolute())
    found = [(name, *finding) for name, look in _LOOKS.items() for finding in _looked(look, places)]
    if as_json:
        print_json({"findings": [{"of": name, "state": state, "seen": seen} for name, state, seen in found]})
    else:
        for name, state, seen in found:
            print(f"{state:8} {name}: {seen}")
    if any(state == "problem" for _, state, _ in found):
        sys.exit(FAILED)


def _looked(look: Callable[[Places], Iterator[Finding]], places: Places) -> list[Finding]:
    try:
        return list(look(places))
    except (MtnasError, OSError) as error:
        return [("problem", str(error))]


def _folders(places: Places) -> Iterator[Finding]:
    home = places.home
    if not home.is_dir():
        yield "problem", f"{home} is not there: no service has run with this MTNAS_HOME"
        return
    yield ("ok", f"{home} can be written") if os.access(home, os.W_OK) else ("problem", f"{home} cannot be written")
    free = shutil.disk_usage(home).free
    yield ("ok" if free >= LEAST_FREE_BYTES else "problem"), f"{free / 2**30:.1f} GiB free"
    for root in places.data_roots:
        yield ("ok" if os.access(root, os.R_OK | os.X_OK) else "problem"), f"data root {root}"


def _database(places: Places) -> Iterator[Finding]:
    found, head = maintenance.current_revision(places.database)
    if found is None:
        yield "problem", "no tables (mtnas db upgrade, or start the service)"
        return
    yield ("ok" if found == head else "problem"), f"revision {found}, needed {head}"
    damage = maintenance.damage(places.database)
    yield ("ok", "whole") if damage is None else ("problem", damage)


def _files(places: Places) -> Iterator[Finding]:
    missing = maintenance.missing_files(places.database, places.artifacts)
    shown = ", ".join(name[:12] for name in missing[:5])
    yield ("ok", "all that rows name are there") if not missing else ("problem", f"{len(missing)} missing: {shown}")


def _work(places: Places) -> Iterator[Finding]:
    with Store.open(places.database, artifacts=places.artifacts) as store:
        reading = store.gauges.read()
        kinds = {kind for worker in store.workers.list() if worker.is_alive for kind in worker.kinds}
    alive, silent = reading.workers
    yield ("ok" if alive else "warning"), f"{alive} workers alive, {silent} silent"
    lapsed = [job for job, left_s in reading.lease_left_s.items() if left_s < 0]
    yield (
        ("ok", "no lease has lapsed") if not lapsed else ("problem", f"jobs whose worker is gone: {', '.join(lapsed)}")
    )
    untaken = [kind for kind, count in reading.queued.items() if count and kind not in kinds]
    yield ("ok", "every queue has a worker") if not untaken else ("problem", f"nobody takes {', '.join(untaken)}")


def _tokens(places: Places) -> Iterator[Finding]:
    with Store.open(places.database, artifacts=places.artifacts) as store:
        usable = [token for token in store.tokens.list() if token.revoked_at is None]
    if usable or os.environ.get("MTNAS_TOKEN_HASHES"):
        yield "ok", f"{len(usable)} in the database"
    else:
        yield "ok", "none: the service listens to this machine alone"


_LOOKS: dict[str, Callable[[Places], Iterator[Finding]]] = {
    "folders": _folders,
    "database": _database,
    "files": _files,
    "work": _work,
    "tokens": _tokens,
}
