"""What every command that talks to the service needs: a client, a console, a specification file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from mtnas.client import Client
from mtnas.errors import SpecError

PIPE_WIDTH = 10_000
"""Columns of a table that goes into a file or a pipe: wide enough that nothing is cut or folded."""

console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
aside = Console(stderr=True)
"""What is told beside the answer, where standard output belongs to a JSON document."""


def print_json(answer: BaseModel | Mapping[str, Any]) -> None:
    """An answer as one JSON document on standard output, as the service gave it."""
    document = answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def table(*columns: str) -> Table:
    """An empty table: with lines on a terminal, bare columns in a pipe."""
    return Table(*columns) if console.is_terminal else Table(*columns, box=None, pad_edge=False)


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
