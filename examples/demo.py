"""The demonstration: a real search through the whole service, and a module that runs without it.

Starts the embedded service on a free port, submits ``examples/flights.yaml`` over REST, follows the job, prints the
winning route against the baselines, draws it, downloads its export and runs that where only torch, safetensors and
numpy can be imported. Everything lands in ``demo-output/``.

Run with ``make demo``.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from examples.embedded import embedded_service
from mtnas.cli.watching import duration, follow
from mtnas.client import Client
from mtnas.export import run_check

HERE = Path(__file__).parent
OUTPUT = Path("demo-output")


def main() -> int:
    """Run the demonstration; 0 when the exported module does what the trained one does."""
    console = Console(width=max(Console().width, 150), highlight=False)
    started = time.monotonic()
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    with embedded_service(OUTPUT / "service") as client:
        console.print(f"the service is ready ({duration(time.monotonic() - started)} to start)")
        spec = yaml.safe_load((HERE / "flights.yaml").read_text())
        job = client.submit(spec)
        console.print(f"submitted examples/flights.yaml: job {job.id}")
        job = follow(client, job.id, console)
        if job.state != "succeeded":
            console.print(f"[red]the job ended as {job.state}[/red]: {job.failure}")
            return 1
        report = client.report(job.id).report
        _print_table(console, report)
        passed = _export(console, client, report)
    console.print(f"all of it took {duration(time.monotonic() - started)}")
    return 0 if passed else 1


def _print_table(console: Console, report: dict[str, Any]) -> None:
    """Every entrant on ``test``: metric and gain over single-task training per task, size, cost."""
    table = Table(title="on test, mean over seeds (gain over single-task training)")
    table.add_column("route")
    for task in report["tasks"]:
        table.add_column(f"{task['name']} {task['metric']}", justify="right")
    for heading in ("mean gain", "worst gain", "parameters", "MACs", "x shared-bottom time"):
        table.add_column(heading, justify="right")
    for row in report["rows"]:
        cells = [_metric(row["per_task"][task["name"]]) for task in report["tasks"]]
        cost = "" if row["multiple_of_shared_bottom"] is None else f"{row['multiple_of_shared_bottom']:.1f}"
        style = "bold green" if row["label"] == _answer(report)["label"] else None
        gains = [_percent(row[name]["mean"]) for name in ("mean_gain", "worst_gain")]
        sizes = ["" if row[name] is None else f"{row[name]:,}" for name in ("num_params", "macs")]
        table.add_row(row["label"], *cells, *gains, *sizes, cost, style=style)
    console.print(table)
    console.print(f"best route (chosen on valid): {report['best']['label']}\n{report['best']['text']}")
    if (together := report["ensemble"]) is not None:
        steps = ", ".join(f"{name} {_percent(found['mean_gain'])}" for name, found in together["brought"].items())
        console.print(f"the answer is an ensemble of {len(together['members'])}; mean gain by step: {steps}")
    places = {(place["process"], place["device"], place["actor"]) for place in report["places"]}
    console.print(f"trials ran in {len(places)} Ray actors: {sorted(places, key=str)}")


def _answer(report: dict[str, Any]) -> dict[str, Any]:
    """The label and the digest of what to export: the ensemble where there is one, else the best route."""
    if report["ensemble"] is not None:
        return {"label": "ensemble", "digest": report["ensemble"]["digest"]}
    return {"label": report["best"]["label"], "digest": report["best"]["route_digest"]}


def _metric(cell: dict[str, Any]) -> str:
    mean, deviation = cell["test"]["mean"], cell["test"]["deviation"]
    if mean is None:
        return "undefined"
    spread = "" if deviation is None else f" ±{deviation:.4f}"
    return f"{mean:.4f}{spread} ({_percent(cell['gain']['mean'])})"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.2f} %"


def _export(console: Console, client: Client, report: dict[str, Any]) -> bool:
    """Draw the winner, download its export, run it on its own."""
    drawing = OUTPUT / "route.svg"
    drawing.write_text(client.drawing(report["best"]["route_digest"]))
    (export,) = client.exports(_answer(report)["digest"]).items
    folder = client.download(export.id, OUTPUT / "module")
    console.print(f"drawing: {drawing}; exported module: {folder}")
    result = run_check(folder)
    console.print("the exported module, where only torch, safetensors and numpy can be imported:")
    console.print(result.output, markup=False)
    return result.passed


if __name__ == "__main__":
    sys.exit(main())
