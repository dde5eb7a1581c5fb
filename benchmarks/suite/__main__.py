"""Runs the cells that are not in the table yet, keeps each as it ends, and writes the page anew.

MTNAS_DATA_DIR=... OMP_NUM_THREADS=1 python -m benchmarks.suite [--quick] [--only census drugs reinforce ...]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.suite.cells import Cell, cells, chosen
from benchmarks.suite.page import DOCS, write_page
from benchmarks.suite.table import commit, kept, path_of, save, tidy
from mtnas.data.access import data_dir_from_environment
from mtnas.easy import run_locally
from mtnas.spec import JobSpec


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small cell of every kind of data, without proof")
    parser.add_argument("--only", nargs="+", default=[], help="data sets, their families, or searches")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"settings of commit {commit()}", flush=True)  # before files change
    path = path_of(quick=asked.quick)
    rows = kept(path)
    done = {row["cell"] for row in rows}
    for cell in chosen(cells(quick=asked.quick), asked.only):
        if cell.digest not in done:
            rows += run(cell)
            save(path, rows)
            write_page(DOCS)
    return 0


def run(cell: Cell) -> list[dict[str, object]]:
    """The job of a cell, and its figures as rows."""
    print(f"{cell.data.name}, {cell.search}", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mtnas-suite-") as scratch:
        folder, given = Path(scratch), data_dir_from_environment()
        roots = (folder,) if given is None else (folder, given)
        spec = JobSpec.model_validate(cell.document(folder))
        report = run_locally(spec, roots=roots, folder=folder / "out").report
    return tidy(cell, report, seconds=time.monotonic() - begun)


if __name__ == "__main__":
    sys.exit(main())
