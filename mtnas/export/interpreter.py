"""A bare interpreter: a separate process in which only named distributions and what they need can be imported."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

from mtnas.errors import ExportError

# -I and -S: no environment variables, no site-packages; -B: nothing is written beside the script.
FLAGS = ("-I", "-S", "-B")
BOOTSTRAP = """
import importlib.util, runpy, sys
_, links, script, *hidden = sys.argv
sys.path.append(links)
found = [name for name in hidden if importlib.util.find_spec(name) is not None]
if found:
    sys.exit(f"these can be imported here: {found}")
sys.argv = [script]
runpy.run_path(script, run_name="__main__")
"""
PASSED_ON = ("LD_LIBRARY_PATH", "PATH", "TMPDIR", "LANG", "SYSTEMROOT")


def run_bare(
    script: Path, *, distributions: Sequence[str], hidden: Sequence[str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, where nothing else is installed.

    Args:
        script: the file to run.
        distributions: what can be imported besides the standard library, with their own dependencies.
        hidden: modules that must not be importable there; the process refuses to start otherwise.
        timeout_s: how long it may take.

    Raises:
        ExportError: it took longer, or one of the distributions is not installed.
    """
    with TemporaryDirectory(prefix="mtnas-bare-") as links:
        for name, target in _top_levels(distributions):
            link = Path(links) / name
            if not link.is_symlink():
                link.symlink_to(target)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        command = [sys.executable, *FLAGS, "-c", BOOTSTRAP, links, str(script.resolve()), *hidden]
        try:
            return subprocess.run(
                command,
                env=environment | {"OMP_NUM_THREADS": "1"},
                cwd=links,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ExportError(expected=f"an end within {timeout_s:g} s", found="none", where=script.name) from error


def _top_levels(distributions: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Name and place of every top-level file and folder of the distributions and their dependencies."""
    waiting, seen = list(distributions), set[str]()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            if name in distributions:
                raise ExportError(expected="an installed distribution", found="none", where=name) from error
            continue  # needed on other systems only
        waiting += [
            re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
            for requirement in distribution.requires or ()
            if "extra ==" not in requirement
        ]
        tops = {path.parts[0] for path in distribution.files or () if path.parts[0] not in ("..", "__pycache__")}
        for top in sorted(tops):
            yield top, Path(str(distribution.locate_file(top))).resolve()
