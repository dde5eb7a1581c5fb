"""``mtnas config show``: the settings of the service's processes, as they would be read here."""

from __future__ import annotations

import json
import os
import subprocess

from mtnas.cli.connection import console, print_json, table
from mtnas.cli.serve import PYTHON, service_folder
from mtnas.errors import ServiceError

PROCESSES = ("api", "workers")


def show(*, as_json: bool) -> None:
    """Show every setting of the web process and of workers; passwords are not shown."""
    found = {process: _settings_of(process) for process in PROCESSES}
    if as_json:
        print_json(found)
        return
    shown = table("variable", "value", "set by", "of", "what")
    for variable in dict.fromkeys(row["variable"] for rows in found.values() for row in rows):
        of = [process for process, rows in found.items() if any(row["variable"] == variable for row in rows)]
        row = next(row for row in found[of[0]] if row["variable"] == variable)
        shown.add_row(variable, row["value"], "environment" if row["is_set"] else "default", ", ".join(of), row["what"])
    console.print(shown)


def _settings_of(process: str) -> list[dict[str, str]]:
    """Asked of the process's own package: in a wheel it is on the path of the service's processes only (decision 17).

    Raises:
        ServiceError: its settings are not right.
    """
    paths = [str(service_folder()), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [*PYTHON, f"{process}.settings"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no word"]
        raise ServiceError(expected="settings that can be read", found=last[0], where=f"MTNAS_* of {process}")
    rows: list[dict[str, str]] = json.loads(done.stdout)
    return rows
