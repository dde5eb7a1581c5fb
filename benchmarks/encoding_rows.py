"""What reading takes: a table of many rows and columns, read and encoded by this commit and by another, in turns.

Both read the same CSV file in processes of their own, one after the other; the figure is the ratio of the time that
the processor worked, which other work on the machine disturbs least.

    OMP_NUM_THREADS=1 python -m benchmarks.encoding_rows --other FOLDER_OF_THE_OTHER_COMMIT
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv

from benchmarks.publishing import publish

ROWS, NUMBERS, CODES, WORDS, PAIRS = 1_000_000, 20, 12, 8, 3
MEASURE = """
import json, resource, sys, time
from pathlib import Path
from mtnas.data import DataAccess, load
try:
    from mtnas.data.data_spec import DataSpec, Feature, FileSource, RatioSplit
    from mtnas.data.sources.sources import open_source
except ModuleNotFoundError:
    from mtnas.data.spec import DataSpec, Feature, FileSource, RatioSplit
    from mtnas.data.sources import open_source
from mtnas.tasks import Task, TaskKind
folder, cache = Path(sys.argv[1]), Path(sys.argv[2])
kinds = {"n": "numeric", "c": "categorical", "w": "categorical"}
names = (folder / "d.csv").open().readline().strip().replace('"', "").split(",")
features = tuple(Feature(column=name, kind=kinds[name[0]]) for name in names if name != "y")
spec = DataSpec(source=FileSource(paths=("d.csv",)), features=features, split=RatioSplit())
task = Task(name="y", kind=TaskKind.BINARY, label="y")
begun, worked = time.perf_counter(), time.process_time()
data = load(spec, (task,), access=DataAccess(roots=(folder,), cache=cache))
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "worked_s": time.process_time() - worked, "wall_s": time.perf_counter() - begun,
    "peak_mib": used.ru_maxrss / 1024, "rows": data.num_rows,
}))
"""


def main() -> None:
    """Measure, and write ``results/encoding_rows.{json,md}``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--other", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    chosen = parser.parse_args()
    ours = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pc_csv.write_csv(made_table(chosen.rows), folder / "d.csv")
        pairs = []
        for turn in range(chosen.pairs):
            both = {"other": chosen.other, "this": ours}
            order = list(both) if turn % 2 else list(both)[::-1]
            pairs.append({name: measured(both[name], folder) for name in order})
    ratios = [pair["this"]["worked_s"] / pair["other"]["worked_s"] for pair in pairs]
    rows = [
        {
            "commit": name,
            "processor_s": median(pair[name]["worked_s"] for pair in pairs),
            "peak_mib": median(pair[name]["peak_mib"] for pair in pairs),
            "ratio": median(ratios) if name == "this" else 1.0,
        }
        for name in ("other", "this")
    ]
    publish(
        "encoding_rows",
        title="Reading and encoding a table, beside an earlier commit",
        reading="A ratio of 1 and below: not slower than before.",
        facts={
            "rows": chosen.rows,
            "columns": NUMBERS + CODES + WORDS,
            "other": _commit(chosen.other),
            "ratios": ratios,
        },
        rows=rows,
        runs=[{"turn": turn, "commit": name, **pair[name]} for turn, pair in enumerate(pairs) for name in pair],
        command="python -m benchmarks.encoding_rows --other FOLDER_OF_THE_OTHER_COMMIT",
    )


def made_table(rows: int) -> pa.Table:
    """Numbers with gaps, codes and words, and a label."""
    rng = np.random.default_rng(0)
    columns: dict[str, object] = {}
    for number in range(NUMBERS):
        values = rng.normal(size=rows).round(4)
        columns[f"n{number}"] = pa.array(values, mask=rng.random(rows) < 0.05)
    for number in range(CODES):
        columns[f"c{number}"] = rng.integers(0, 10 ** (1 + number % 4), rows)
    words = np.array([f"word {number}" for number in range(1000)])
    for number in range(WORDS):
        columns[f"w{number}"] = words[rng.integers(0, 10 ** (1 + number % 3), rows)]
    columns["y"] = rng.integers(0, 2, rows)
    return pa.table(columns)


def measured(code: Path, folder: Path) -> dict[str, float]:
    """One reading by the code in that folder."""
    with tempfile.TemporaryDirectory() as cache:
        ended = subprocess.run(
            [sys.executable, "-c", MEASURE, str(folder), cache],
            env=os.environ | {"PYTHONPATH": str(code)},
            capture_output=True,
            text=True,
            check=True,
        )
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def _commit(folder: Path) -> str:
    ended = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True)
    return ended.stdout.strip()


if __name__ == "__main__":
    main()
