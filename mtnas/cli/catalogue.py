"""Commands about what there is: data sets, profiles, search spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID
from rich.table import Table

from mtnas.cli.connection import aside, connect, console, print_json, table
from mtnas.errors import DataError
from mtnas.messages import Upload


def list_data(*, as_json: bool, url: str, token: str | None) -> None:
    """List the data sets that the service knows."""
    with connect(url, token) as client:
        found = client.datasets()
    if as_json:
        print_json({"items": [one.model_dump(mode="json") for one in found]})
        return
    shown = table("name", "kind", "state", "rows")
    for one in found:
        rows = (one.profile or {}).get("num_rows")
        shown.add_row(one.name, one.kind, one.state, "" if rows is None else f"{rows:,}")
    console.print(shown)


def profile(data: str, *, as_json: bool, url: str, token: str | None) -> None:
    """Say how columns would be read, of a file on this machine or of a data set that the service knows.

    Raises:
        DataError: the service knows it but has not profiled it.
    """
    if Path(data).exists():
        from mtnas.cli.here import profile_of

        known: Mapping[str, Any] = profile_of(Path(data)).to_json()
    else:
        with connect(url, token) as client:
            one = client.dataset(data)
        if one.profile is None:
            raise DataError(expected="a data set that was profiled", found=f"{one.kind}, {one.state}", where=data)
        known = one.profile
    if as_json:
        print_json(known)
        return
    console.print(f"{known['num_rows']:,} rows", highlight=False)
    console.print(profile_table(known))


def profile_table(known: Mapping[str, Any]) -> Table:
    """Columns as rows: how they are stored, what they would be read as, and why they would be left out."""
    shown = table("column", "stored as", "read as", "missing", "distinct", "smallest", "largest", "most frequent")
    for column in known["columns"]:
        name = column["name"]
        reading = known["inferred"].get(name) or f"left out: {known['left_out'].get(name, 'no input')}"
        frequent = ", ".join(f"{value!r} {count:,}" for value, count in column["top"][:3])
        ends = ("" if column[end] is None else f"{column[end]:.6g}" for end in ("minimum", "maximum"))
        distinct = "" if column["distinct"] is None else f"{column['distinct']:,}"
        shown.add_row(name, column["storage"], reading, f"{column['missing']:,}", distinct, *ends, frequent)
    return shown


def register(name: str, paths: Sequence[str], *, as_json: bool, url: str, token: str | None) -> None:
    """Register data below the service's data roots under a name."""
    with connect(url, token) as client:
        made = client.register_dataset(name, {"kind": "file", "paths": list(paths)})
    if as_json:
        print_json(made)
    else:
        console.print(f"{made.name}: profiled by job {made.job_id}", markup=False, highlight=False)


def upload(
    name: str, files: Sequence[Path], *, delimiter: str | None, as_json: bool, url: str, token: str | None
) -> None:
    """Send files and register them under a name."""
    options = {} if delimiter is None else {"delimiter": delimiter}
    with connect(url, token) as client, Progress(console=aside, transient=True) as bar:
        lines: dict[str, TaskID] = {}

        def listen(sent: Upload) -> None:
            if sent.sha256 not in lines:
                lines[sent.sha256] = bar.add_task(f"sending {sent.sha256[:12]}", total=sent.size_bytes)
            bar.update(lines[sent.sha256], completed=sent.received_bytes)

        made = client.upload_dataset(name, files, options=options, listener=listen)
    if as_json:
        print_json(made)
    else:
        console.print(f"{made.name}: profiled by job {made.job_id}", markup=False, highlight=False)


def delete(name: str, *, url: str, token: str | None) -> None:
    """Delete a registered data set."""
    with connect(url, token) as client:
        client.delete_dataset(name)
    console.print(f"deleted: {name}", markup=False, highlight=False)


def spaces(*, as_json: bool, url: str, token: str | None) -> None:
    """List the search spaces."""
    with connect(url, token) as client:
        found = client.search_spaces()
    if as_json:
        print_json({"items": [one.model_dump(mode="json") for one in found]})
        return
    shown = table("space", "what", "options with their defaults")
    for one in found:
        options = ", ".join(f"{option} {value}" for option, value in one.options.items())
        shown.add_row(one.name, one.summary, options)
    console.print(shown)
