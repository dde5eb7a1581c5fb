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
    """The report as Markdown."""
    tasks = report["tasks"]
    headings = ["route", "seeds", *(f"{t['name']} {t['metric']}" for t in tasks)]
    headings += ["mean gain", "worst gain", "parameters", "MACs", "learning rate", "x shared-bottom time"]
    lines = [
        f"# {name}",
        "",
        f"`{report['command']}`",
        "",
        f"Winner, chosen on `valid`: **{report['best']['label']}**.",
    ]
    lines += [f"![route]({name}.svg)", "", "| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for row in report["rows"]:
        cells = [row["label"], str(row["seeds"])]
        cells += [_spread(row["per_task"][task["name"]]["test"]) for task in tasks]
        cells += [_percent(row["mean_gain"]), _percent(row["worst_gain"])]
        cells += ["" if row[key] is None else f"{row[key]:,}" for key in ("num_params", "macs")]
        cells += [str(row["lr"]), _number(row["multiple_of_shared_bottom"])]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "Test part, mean ± standard deviation over seeds; gains over single-task training, by seed."]
    for comparison in report["comparisons"]:
        lines += [
            "",
            f"{comparison['first']} minus {comparison['second']}, paired over {comparison['seeds']} seeds:",
            "",
        ]
        lines += [f"- {key}: {_difference(found)}" for key, found in comparison["differences"].items()]
    on_edge = [label for label, tuned in report["tuning"].items() if tuned["on_edge"]]
    lines += ["", f"Learning rates on the edge of their grid: {', '.join(on_edge) or 'none'}."]
    search = report["search"]
    lines += [f"Search: {search['trials']} trials, {search['candidate_steps']:,.0f} candidate-steps, "]
    lines[-1] += f"{search['device_seconds']:.0f} device-seconds; Kendall's tau of search-time and retrained scores: "
    lines[-1] += f"{_number(search['kendall_tau'])}."
    actors = Counter()
    for place in report["places"]:
        actors[place["node"], place["process"], place["device"], place["actor"]] += place["trials"]
    lines += ["", "| node | process | device | Ray actor | trials |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(map(str, (*place, count))) + " |" for place, count in sorted(actors.items(), key=str)]
    lines += [
        "",
        f"Reads of this test part so far: {report['test_reads']}. Versions: {report['provenance']['versions']}.",
    ]
    return "\n".join(lines) + "\n"


def _spread(cell: dict[str, Any]) -> str:
    if cell["mean"] is None:
        return ""
    return f"{cell['mean']:.4f}" + ("" if cell["deviation"] is None else f" ± {cell['deviation']:.4f}")


def _percent(cell: dict[str, Any]) -> str:
    return "" if cell["mean"] is None else f"{100 * cell['mean']:+.2f} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _difference(found: dict[str, Any]) -> str:
    if found["mean"] is None:
        return "undefined"
    if found["interval"] is None:
        return f"{found['mean']:+.5f}"
    low, high = found["interval"]
    return f"{found['mean']:+.5f} (95 % interval {low:+.5f} to {high:+.5f})"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
