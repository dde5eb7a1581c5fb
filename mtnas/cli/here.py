"""Commands that need no service: run a job in this process, and begin a specification from a file of data."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.live import Live
from rich.text import Text

from mtnas.cli.answers import print_answer
from mtnas.cli.connection import console, read_spec
from mtnas.cli.watching import event_text, progress_line
from mtnas.data import DataAccess, profile
from mtnas.data.data_spec import FileSource
from mtnas.data.profiles.profile import Profile
from mtnas.data.profiles.proposed_tasks import identifier, kind_of, proposed_labels, tasks_from
from mtnas.easy.local_job import run_locally, write_answer
from mtnas.errors import SpecError
from mtnas.problems import from_validation
from mtnas.spec import JobSpec

SPECIFICATIONS = (".yaml", ".yml", ".json")


def run(file: Path, *, tasks: Sequence[str], output: Path, level: str | None, device: str) -> None:
    """Run a specification, or a file of data with tasks, to its end; the answer lands in ``output``."""
    if file.suffix in SPECIFICATIONS:
        if tasks:
            raise SpecError(expected="tasks in the specification", found="--task as well", where=str(file))
        document, roots = read_spec(file), [Path.cwd(), file.resolve().parent]
    else:
        if not tasks:
            raise SpecError(expected="--task LABEL[:KIND], at least once", found="none", where=str(file))
        source, known = _profiled(file)
        document = {"name": file.stem, "data": {"source": source}, "tasks": tasks_from(tasks, known)}
        roots = [file.resolve().parent]
    if level is not None:
        document["protocol"] = {**document.get("protocol", {}), "level": level}
    spec = _validated(document)
    with Live(console=console, transient=True, refresh_per_second=4, auto_refresh=console.is_terminal) as live:

        def listen(kind: str, payload: Mapping[str, Any]) -> None:
            if kind == "progress":
                live.update(Text(progress_line(payload)), refresh=console.is_terminal)
            elif (text := event_text(kind, payload)) is not None:
                live.console.print(text, markup=False, highlight=False)

        finished = run_locally(spec, roots=tuple(roots), folder=output, listener=listen, device=device)
    print_answer(finished.report)
    written = [*write_answer(finished, output), *finished.modules.values()]
    console.print(f"written: {', '.join(str(path) for path in written)}", markup=False, highlight=False)


def begin(file: Path, *, labels: Sequence[str]) -> None:
    """Write a specification for a file of data to standard output; without labels it proposes some."""
    source, known = _profiled(file)
    sys.stdout.write(specification(file.stem, source, known, labels))


def specification(name: str, source: Mapping[str, Any], known: Profile, labels: Sequence[str]) -> str:
    """The text of a specification with comments; without labels, columns with two values are proposed."""
    proposed = labels or proposed_labels(known)
    if not proposed:
        columns = ", ".join(column.name for column in known.columns)
        raise SpecError(
            expected="--label COLUMN, at least once", found=f"no column with two values in {columns}", where=name
        )
    tasks = tasks_from(proposed, known)
    names = {task["label"] for task in tasks}
    inputs = [f"#   {column}: {kind}" for column, kind in known.inferred.items() if column not in names]
    left_out = [f"#   {column}: {reason}" for column, reason in known.left_out.items() if column not in names]
    others = [c.name for c in known.columns if c.name not in names and _could_be_a_label(c, known)]
    split = "{kind: ratio, train: 0.7, valid: 0.15, test: 0.15}"
    return "\n".join(
        [
            f"# {known.num_rows:,} rows. Run it here: mtnas run FILE; or in a service: mtnas submit FILE --watch",
            "version: 1",
            f"name: {identifier(name)}",
            "data:",
            f"  source: {yaml.safe_dump(dict(source), default_flow_style=True, sort_keys=False).strip()}",
            "  # Rows are cut at random; kinds time, group and column cut them by a column.",
            f"  # split: {split}",
            "# How columns would be read:",
            *inputs,
            *(["# Left out:", *left_out] if left_out else []),
            *([f"# Other columns that could be labels: {', '.join(others)}"] if others else []),
            yaml.safe_dump({"tasks": tasks}, sort_keys=False, default_flow_style=None).strip(),
            "protocol:",
            "  level: quick  # standard compares five seeds with intervals, headline tests",
            "budget:",
            "  trials: 64  # or candidate_steps, device_seconds, deadline_s",
            "",
        ]
    )


def _could_be_a_label(column: Any, known: Profile) -> bool:
    try:
        return kind_of(column, num_rows=known.num_rows) in ("binary", "multiclass")
    except SpecError:
        return False


def profile_of(file: Path) -> Profile:
    """What the columns of a file hold."""
    return _profiled(file)[1]


def _profiled(file: Path) -> tuple[dict[str, Any], Profile]:
    path = file.resolve()
    source = FileSource(paths=(path.name,))
    known = profile(source, access=DataAccess(roots=(path.parent,), cache=path.parent / ".mtnas"))
    return {"kind": "file", "paths": [path.name]}, known


def _validated(document: Mapping[str, Any]) -> JobSpec:
    from pydantic import ValidationError

    try:
        return JobSpec.model_validate(document)
    except ValidationError as error:
        problems = from_validation(error.errors(), document)
        first = problems[0]
        for other in problems[1:]:
            first.add_note(str(other))
        raise first from None
