"""Whether a table larger than memory is also trained on in bounded memory: one whole job on a recommender's log.

The log is that of ``benchmarks.ingest``. The job reads it column by column, encodes it into the cache, and trains from
there one route and single-task networks, one pass each, with a table of up to a million users among the inputs. The
job runs in a process of its own; memory is its largest resident set, and what the networks themselves take is told
beside it (weights, gradients, both moments and the moving average, for all that train together).

    OMP_NUM_THREADS=1 python -m benchmarks.long_training [--rows 30000000]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ingest import IDS, NUMBERS, WORDS, generate
from benchmarks.publishing import publish

COPIES = 5  # of every weight while it trains


def main(arguments: Sequence[str] | None = None) -> None:
    """Generate, run the job in a child, publish; ``--folder`` is the child."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[30_000_000])
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args(arguments)
    if asked.folder is not None:
        print(json.dumps(trained(asked.folder)))
        return
    rows = []
    for num_rows in asked.rows:
        with tempfile.TemporaryDirectory(dir=asked.scratch) as folder:
            generate(Path(folder) / "log", num_rows)
            command = [sys.executable, "-m", "benchmarks.long_training", "--folder", folder]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows.append({"rows": num_rows} | json.loads(done.stdout.splitlines()[-1]))
    publish(
        "long_training",
        title="A whole job on a table that is longer than memory",
        facts={"columns": len(IDS) + len(WORDS) + len(NUMBERS) + 2, "batch": 8192, "passes": 1},
        rows=rows,
        reading="The largest resident set of the process over the whole job, in MiB, and what its networks take of it "
        "while they train; seconds until rows are encoded, and of the whole job.",
    )


def trained(folder: Path) -> dict[str, Any]:
    """The job's memory and time."""
    from mtnas.easy import run_locally
    from mtnas.spec import JobSpec

    begun, phases = time.perf_counter(), dict[str, float]()

    def listen(kind: str, payload: Mapping[str, Any]) -> None:
        if kind == "phase":
            phases[payload["phase"]] = time.perf_counter() - begun
            print(
                f"{phases[payload['phase']]:7.0f} s {payload['phase']}, {_mib():.0f} MiB", file=sys.stderr, flush=True
            )

    features = [{"column": name, "kind": "categorical"} for name in (*IDS, *WORDS)]
    features += [{"column": name, "kind": "numeric"} for name in NUMBERS]
    spec = JobSpec.model_validate(
        {
            "name": "long",
            "data": {"source": {"kind": "file", "paths": ["log"]}, "features": features},
            "tasks": [{"name": "click", "kind": "binary"}, {"name": "paid", "kind": "regression"}],
            "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 32}},
            "search": {"kind": "random", "generation": 1},
            "budget": {"trials": 1},
            "training": {"batch_size": 8192, "epochs": 1, "least_steps": 1, "lr": 0.003, "extend": 0},
            "protocol": {
                "baselines": ["single_task"],
                "seeds": 1,
                "finalists": 1,
                "boosted_trees": False,
                "linear_models": False,
            },
            "resources": {"data": "streamed"},
            "export": {"ensemble": "none", "top": 0},
        }
    )
    report = run_locally(spec, roots=(folder,), folder=folder / "out", listener=listen).report
    largest = max(row["num_params"] for row in report["rows"])
    return {
        "largest resident set, MiB": round(_mib()),
        "of it the networks, MiB": round(2 * COPIES * 4 * largest / 2**20),
        "seconds to encode": round(phases["baselines"]),
        "seconds in all": round(time.perf_counter() - begun),
    }


def _mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
