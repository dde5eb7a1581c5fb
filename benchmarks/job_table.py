"""Run a job file through the whole service and write its report as a table.

MTNAS_DATA_DIR=... python -m benchmarks.job_table examples/census_income.yaml census_income
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from examples.embedded import embedded_service
from mtnas.cli.watching import follow
from mtnas.reports.markdown import as_markdown

RESULTS = Path(__file__).parent / "results"


def main(job_file: str, name: str) -> int:
    """Submit, follow, write ``results/NAME.json``, ``.md`` and the winner's drawing."""
    console = Console(highlight=False)
    spec = yaml.safe_load(Path(job_file).read_text())
    with tempfile.TemporaryDirectory() as scratch, embedded_service(Path(scratch) / "service") as client:
        job = follow(client, client.submit(spec).id, console)
        if job.state != "succeeded":
            console.print(f"{job.state}: {job.failure}")
            return 1
        report = client.report(job.id).report
        drawing = client.drawing(report["best"]["route_digest"])
    report["command"] = f"python -m benchmarks.job_table {job_file} {name}"
    report["cores"] = os.cpu_count()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    (RESULTS / f"{name}.svg").write_text(drawing)
    (RESULTS / f"{name}.md").write_text(table(report, name))
    console.print(table(report, name), markup=False)
    return 0


def table(report: dict[str, Any], name: str) -> str:
    """The report as Markdown, with what a benchmark adds to it: the command, the drawing, where trials ran."""
    on_edge = [label for label, tuned in report["tuning"].items() if tuned["on_edge"]]
    actors = Counter[tuple[Any, ...]]()
    for place in report["places"]:
        actors[place["node"], place["process"], place["device"], place["actor"]] += place["trials"]
    lines = [as_markdown(report, title=name), f"![route]({name}.svg)", "", f"Repeat with `{report['command']}`."]
    lines += ["", f"Learning rates on the edge of their grid: {', '.join(on_edge) or 'none'}."]
    lines += ["", "| node | process | device | Ray actor | trials |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(map(str, (*place, count))) + " |" for place, count in sorted(actors.items(), key=str)]
    return "\n".join([*lines, "", f"Versions: {report['provenance']['versions']}."]) + "\n"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
