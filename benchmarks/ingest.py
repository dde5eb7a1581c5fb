"""How fast long tables are read and encoded, and in how much memory, beside pandas and polars doing the same.

The table is a recommender's log, generated block by block: ids with long tails, counts with many zeros, prices, texts,
booleans. Everybody does the same: vocabularies by frequency and standardised numbers with their places among 48
quantiles, learnt from 80 % of the rows, applied to all, written to disk. pandas and polars hold the table in memory.
Each runs in a process of its own, in turns; rows a second are medians, memory is the largest resident set.

    OMP_NUM_THREADS=1 python -m benchmarks.ingest [--rows 1000000 10000000] [--repeats 3] [--long 30000000]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.publishing import publish

BLOCK, BINS = 1_000_000, 48
IDS = {"user": 2_000_000, "item": 200_000, "shop": 5_000}
WORDS = {"country": 60, "device": 8, "page": 300}
NUMBERS = ("price", "seconds", "rating", "clicks", "age", "distance")
WAYS = ("mtnas", "polars", "pandas")


def main(arguments: Sequence[str] | None = None) -> None:
    """Generate, run everybody in turns, and publish; ``--way`` is a child that runs one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--long", type=int, default=30_000_000, help="rows that only mtnas reads, for its memory")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args(arguments)
    if asked.way is not None:
        print(json.dumps(measured(asked.way, asked.folder)))
        return
    rows = [row for num_rows in asked.rows for row in compared(num_rows, asked.repeats, asked.scratch)]
    if asked.long:
        rows += compared(asked.long, 1, asked.scratch, ways=("mtnas",))
    publish(
        "ingest",
        title="Reading and encoding long tables",
        facts={"columns": len(IDS) + len(WORDS) + len(NUMBERS) + 2, "repeats": asked.repeats},
        rows=rows,
        reading="Rows a second (median), and the largest resident set of the process. mtnas reads tables that would "
        "take more than a gigabyte column by column, and also draws the split, checks labels and looks for copies and "
        "giveaways; the others hold the table and do none of this.",
    )


def compared(num_rows: int, repeats: int, scratch: Path, *, ways: Sequence[str] = WAYS) -> list[dict[str, Any]]:
    """A row a way, over a table of so many rows."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        generate(Path(folder) / "log", num_rows)
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(repeats):
            for way in ways:
                command = [sys.executable, "-m", "benchmarks.ingest", "--way", way, "--folder", folder]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                runs[way].append(json.loads(done.stdout.splitlines()[-1]))
    seconds = {way: median(run["seconds"] for run in found) for way, found in runs.items()}
    return [
        {
            "rows": num_rows,
            "by": way,
            "rows a second": round(num_rows / seconds[way]),
            "of polars": round(seconds["polars"] / seconds[way], 2) if "polars" in seconds else "",
            "largest resident set, MiB": round(max(run["mib"] for run in runs[way])),
        }
        for way in ways
    ]


def generate(folder: Path, num_rows: int) -> None:
    """The log as Parquet files of a million rows each."""
    folder.mkdir()
    for number, start in enumerate(range(0, num_rows, BLOCK)):
        rng, num = np.random.default_rng(number), min(BLOCK, num_rows - start)
        columns: dict[str, Any] = {
            name: np.minimum(rng.zipf(1.2, num), size).astype(np.int64) for name, size in IDS.items()
        }
        columns |= {
            name: pa.array([f"{name}-{n}" for n in range(size)]).take(pa.array(rng.integers(0, size, num)))
            for name, size in WORDS.items()
        }
        for name in NUMBERS:
            values = rng.lognormal(size=num)
            columns[name] = np.where(rng.random(num) < 0.3, 0.0, values)
        columns["click"] = (rng.random(num) < 0.1).astype(np.int64)
        columns["paid"] = columns["price"] * (rng.random(num) < 0.5)
        pq.write_table(pa.table(columns), folder / f"{number:05}.parquet")


def measured(way: str, folder: Path) -> dict[str, float]:
    """Seconds and memory of one way, in this process."""
    run = {"mtnas": _mtnas, "polars": _polars, "pandas": _pandas}[way]
    import_module({"mtnas": "mtnas.data"}.get(way, way))
    with tempfile.TemporaryDirectory(dir=folder) as out:
        begun = time.perf_counter()
        run(folder, Path(out))
        seconds = time.perf_counter() - begun
    return {"seconds": seconds, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _mtnas(folder: Path, out: Path) -> None:
    from mtnas.data import DataAccess, load
    from mtnas.data.data_spec import DataSpec, Feature, FileSource
    from mtnas.tasks import Task, TaskKind

    tasks = (
        Task(name="click", kind=TaskKind.BINARY, label="click"),
        Task(name="paid", kind=TaskKind.REGRESSION, label="paid"),
    )
    features = [Feature(column=name, kind="categorical") for name in (*IDS, *WORDS)]
    features += [Feature(column=name, kind="numeric") for name in NUMBERS]
    spec = DataSpec(source=FileSource(paths=("log",)), features=tuple(features))
    load(spec, tasks, access=DataAccess(roots=(folder,), cache=out))


def _polars(folder: Path, out: Path) -> None:
    import polars as pl

    frame = pl.read_parquet(folder / "log" / "*.parquet")
    train = frame[np.flatnonzero(np.random.default_rng(0).random(len(frame)) < 0.8)]
    codes, numbers = [], []
    for name in (*IDS, *WORDS):
        known = train[name].value_counts(sort=True).head(1_000_000)
        place = pl.DataFrame({name: known[name], "place": np.arange(1, len(known) + 1, dtype=np.int32)})
        codes.append(frame.select(name).join(place, on=name, how="left", maintain_order="left")["place"].fill_null(0))
    for name in NUMBERS:
        seen = train[name].to_numpy()
        edges = np.unique(np.quantile(seen, np.linspace(0, 1, BINS + 1)))
        values = frame[name].to_numpy()
        numbers += [(values - seen.mean()) / seen.std(), np.interp(values, edges, np.arange(len(edges)))]
    _write(out, [column.to_numpy() for column in codes], numbers, frame.select("click", "paid").to_numpy())


def _pandas(folder: Path, out: Path) -> None:
    import pandas as pd

    frame = pd.read_parquet(folder / "log")
    train = frame[np.random.default_rng(0).random(len(frame)) < 0.8]
    codes, numbers = [], []
    for name in (*IDS, *WORDS):
        known = train[name].value_counts().head(1_000_000).index
        codes.append(pd.Categorical(frame[name], categories=known).codes + 1)
    for name in NUMBERS:
        seen = train[name].to_numpy()
        edges = np.unique(np.quantile(seen, np.linspace(0, 1, BINS + 1)))
        values = frame[name].to_numpy()
        numbers += [(values - seen.mean()) / seen.std(), np.interp(values, edges, np.arange(len(edges)))]
    _write(out, codes, numbers, frame[["click", "paid"]].to_numpy())


def _write(out: Path, codes: Sequence[Any], numbers: Sequence[Any], labels: Any) -> None:
    np.save(out / "codes.npy", np.stack(codes, axis=1).astype(np.int32))
    np.save(out / "numbers.npy", np.stack(numbers, axis=1).astype(np.float32))
    np.save(out / "labels.npy", labels.astype(np.float32))


if __name__ == "__main__":
    main()
