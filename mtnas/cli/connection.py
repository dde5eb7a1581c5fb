"""What every command that talks to the service needs: a client, a console, a specification file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from mtnas.client import Client
from mtnas.errors import SpecError

PIPE_WIDTH = 240
"""Columns of a table that goes into a file or a pipe: wide enough that nothing is cut."""

console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def connect(url: str, token: str | None) -> Client:
    """A client of the service."""
    return Client(url, token=token)


def read_spec(file: Path) -> dict[str, Any]:
    """A job specification from a YAML or JSON file (JSON is YAML).

    Raises:
        SpecError: no such file, or not a mapping.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        spec = yaml.safe_load(text)
    except OSError as error:
        raise SpecError(expected="a readable file", found=str(error.strerror), where=str(file)) from error
    except UnicodeDecodeError as error:
        raise SpecError(expected="text in UTF-8", found=str(error), where=str(file)) from error
    except yaml.YAMLError as error:
        raise SpecError(expected="YAML or JSON", found=" ".join(str(error).split()), where=str(file)) from error
    if not isinstance(spec, dict):
        raise SpecError(expected="a mapping", found=type(spec).__name__, where=str(file))
    return spec
