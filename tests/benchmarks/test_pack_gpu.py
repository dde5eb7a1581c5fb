"""The GPU benchmark's code runs at tiny sizes on a CPU, and without the service's packages."""

from __future__ import annotations

import subprocess
import sys

import torch

from benchmarks.pack_gpu import Floor, floor_of, measure

CPU = torch.device("cpu")


def test_every_precision_and_size_gets_a_row() -> None:
    found = measure(
        CPU, sizes=(1, 2), precisions=("float32",), batch_size=32, num_rows=256, seconds=0.02, product=64, steps=2
    )
    assert [(row["precision"], row["K"]) for row in found] == [("float32", 1), ("float32", 2)]
    for row in found:
        assert float(str(row["candidate-steps/s"])) > 0
        assert row["against captured"] is None


def test_the_floor_is_the_larger_of_both_times() -> None:
    floor = Floor(bytes=100.0, operations=1000.0)
    assert floor.seconds(bytes_per_s=10.0, operations_per_s=1000.0) == 10.0
    assert floor.seconds(bytes_per_s=1000.0, operations_per_s=10.0) == 100.0


def test_a_step_at_batch_1024_takes_the_operations_that_the_design_names() -> None:
    assert 0.55e9 < floor_of(1024, bytes_per_value=4).operations < 0.65e9


def test_fewer_bytes_a_value_lower_the_floor_of_bytes_alone() -> None:
    wide, narrow = (floor_of(1024, bytes_per_value=size) for size in (4, 2))
    assert narrow.bytes < wide.bytes < 2 * narrow.bytes
    assert narrow.operations == wide.operations


def test_it_loads_without_the_services_packages() -> None:
    blocked = ("ray", "fastapi", "sqlalchemy", "optuna", "altair", "scipy", "sklearn")
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); import benchmarks.pack_gpu"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)
