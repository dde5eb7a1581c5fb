"""Writes docs/reference: the REST API, job specifications, the command line and the settings, from the code itself.

    python docs/write_reference.py

``openapi.json`` is the contract: a change that takes something away from it is refused, unless ``--break`` says that it
is meant. ``--check`` writes nothing and names the files that are out of date.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from broken_promises import broken
from pydantic import BaseModel
from written_pages import write_or_tell

from api.app import create_app
from api.settings import Settings as ApiSettings
from mtnas.cli.app import all_commands
from mtnas.docstrings import attributes_in
from mtnas.places import describe
from mtnas.spec import JobSpec
from workers.settings import Settings as WorkerSettings

FOLDER = Path(__file__).parent / "reference"
WRITTEN = "Written by `python docs/write_reference.py`.\n"
LONGEST_DEFAULT = 60
Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """Text of every file by its name in docs/reference."""
    contract = document()
    return {
        "openapi.json": json.dumps(contract, indent=1, ensure_ascii=False, sort_keys=True) + "\n",
        "rest.md": rest(contract),
        "job.md": job(JobSpec),
        "cli.md": commands(),
        "settings.md": settings(),
    }


def document() -> dict[str, Any]:
    """The OpenAPI document of the service, as it would be served here."""
    with tempfile.TemporaryDirectory() as home:
        return create_app(ApiSettings(home=Path(home))).openapi()


def rest(contract: Schema) -> str:
    """Every operation: what it does, what it takes, what it answers."""
    parts = [
        "# REST API\n",
        WRITTEN,
        "The whole contract: [openapi.json](openapi.json); a service shows it at `/docs`.\n",
    ]
    by_tag: dict[str, list[str]] = {}
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation.get("tags", ["others"])[0], []).append(_operation(method, path, operation))
    for tag, operations in by_tag.items():
        parts += [f"## {tag}\n", *operations]
    return "\n".join(parts)


def _operation(method: str, path: str, operation: Schema) -> str:
    lines = [f"### `{method.upper()} {path}`\n", f"{operation['description']}\n"]
    rows = [
        f"| `{one['name']}` | {one['in']} | {_kind(one['schema'])} | {one.get('description', '')} |"
        for one in operation.get("parameters", ())
    ]
    if rows:
        lines += ["| parameter | in | type | |", "|---|---|---|---|", *rows, ""]
    if "requestBody" in operation:
        bodies = operation["requestBody"]["content"].values()
        lines.append(f"Body: {', '.join(_kind(body.get('schema', {})) for body in bodies)}.\n")
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        if status[0] == "2":
            what = ", ".join(f"{_kind(body.get('schema', {}))} ({media})" for media, body in content.items())
            lines.append(f"Answers {status}: {what or 'nothing'}.\n")
    return "\n".join(lines)


def job(specification: type[BaseModel]) -> str:
    """Every part of a job specification: fields, kinds, limits, defaults, meaning."""
    schema = specification.model_json_schema()
    parts = [
        "# Job specification\n",
        WRITTEN,
        "A job is one document, YAML or JSON. Only `name`, `data` and `tasks` have no default.\n",
    ]
    for name, part in {"JobSpec": schema, **schema["$defs"]}.items():
        if "properties" in part:
            parts.append(_part(name, part))
    return "\n".join(parts)


def _part(name: str, part: Schema) -> str:
    text = part.get("description", "")
    meaning = attributes_in(text)
    needed = part.get("required", ())
    rows = []
    for field, schema in part["properties"].items():
        default = "needed" if field in needed else _default(schema)
        about = _cell(meaning.get(field, schema.get("description", "")))
        rows.append(f"| `{field}` | {_kind(schema)} | {default} | {about} |")
    words = text.partition("Attributes:")[0].strip()
    return "\n".join([f"## {name}\n", f"{words}\n", "| field | type | default | |", "|---|---|---|---|", *rows, ""])


def _default(schema: Schema) -> str:
    if "default" not in schema:
        return "its defaults" if "$ref" in schema else ""
    text = json.dumps(schema["default"])
    return "its defaults" if len(text) > LONGEST_DEFAULT else f"`{text}`"


def _kind(schema: Schema) -> str:
    """A type in words, with its limits; a named one as a link to its section on the page of job specifications."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_kind(one) for one in schema[several]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    limits = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = ", ".join(f"{sign} {schema[limit]:g}" for limit, sign in limits.items() if limit in schema)
    return f"{schema.get('type', 'any')}{' ' if bounds else ''}{bounds}"


def commands() -> str:
    """Every command with its arguments and options."""
    parts = [
        "# Command line\n",
        WRITTEN,
        "Exit status: 0 done; 1 the job failed or was cancelled; 2 the request is not right, or the service is not "
        "there; 130 interrupted. `--json` prints one document and nothing else on standard output; "
        "`mtnas --install-completion` teaches your shell the names.\n",
    ]
    for path, command in all_commands():
        parts += [f"## `mtnas {path}`\n", f"{command.help}\n"]
        rows = [_parameter(one) for one in command.params if one.name != "help"]
        if rows:
            parts += ["| | | default |", "|---|---|---|", *rows, ""]
    return "\n".join(parts)


def _parameter(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name.upper()}`"
    variable = f" (`{parameter.envvar}`)" if parameter.envvar else ""
    empty = parameter.default in (None, (), [], False)
    default = "needed" if parameter.required else "" if empty else f"`{parameter.default}`"
    return f"| {names} | {_cell(parameter.help or '')}{variable} | {default} |"


def settings() -> str:
    """Every environment variable of the service's processes, with its default: nothing of this shell's is read."""
    parts = ["# Settings\n", WRITTEN, "`mtnas config show` says what they are on a machine.\n"]
    for title, chosen in (("The web process", ApiSettings), ("Workers", WorkerSettings)):
        rows = [
            f"| `{one['variable']}` | `{one['value']}` | {_cell(one['what'])} |"
            for one in describe(chosen.model_construct())
        ]
        parts += [f"## {title}\n", "| variable | default | |", "|---|---|---|", *rows, ""]
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or say which are out of date, or what would be broken."""
    files = pages()
    promised = FOLDER / "openapi.json"
    lost = broken(json.loads(promised.read_text()), json.loads(files["openapi.json"])) if promised.exists() else []
    if lost and "--break" not in arguments:
        print("\n".join(lost))
        return 1
    return write_or_tell(files, folder=FOLDER, arguments=arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
