"""Candidate-steps per second of packs on a GPU, with the floor beside them (issue 5).

Packs of 1, 4, 16, 64 and 256 candidates of ``census_shapes`` at batch 1024, in float32 and bfloat16, against one plain
network after another (eager, fused Adam) and against one plain network whose step is captured in a CUDA graph. The
floor is what the bytes and the operations of a step cost at the device's copy speed and product speed, both measured
here. Needs torch and the core alone: no Ray, no web framework.

    python -m benchmarks.pack_gpu [--device cuda] [--seconds 3]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat

import torch
import torch.nn.functional as F

from benchmarks.census_shapes import INPUTS, Rows, candidate_graph, candidate_pack, census_rows
from benchmarks.plain_network import PlainNetwork, plain_steps
from benchmarks.publishing import publish
from mtnas.routes import cost
from mtnas.routes.schemes.by_name import full_route
from mtnas.training.recipe import Recipe
from mtnas.trials import Settings

SIZES, PRECISIONS = (1, 4, 16, 64, 256), ("float32", "bfloat16")
BATCH, ROWS = 1024, 2**17
GOALS = "at K = 64: 40x the eager loop, 8x the captured network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The least time of one candidate's step.

    Attributes:
        bytes: read and written once each: activations forward and backward, weights, gradients and moments.
        operations: multiplications and additions of the products, forward and backward.
    """

    bytes: float
    operations: float

    def seconds(self, *, bytes_per_s: float, operations_per_s: float) -> float:
        """The larger of both times: a device does both at once."""
        return max(self.bytes / bytes_per_s, self.operations / operations_per_s)


def floor_of(batch_size: int, *, bytes_per_value: int) -> Floor:
    """Every sub-network's input and output twice forward (written, read) and three times backward; Adam's 7 passes."""
    graph = candidate_graph()
    found = cost(graph, full_route(graph), INPUTS)
    slots = len(graph.slots)
    values_per_row = INPUTS.width + 3 * 64 * slots + 2 * 64 * len(graph.towers)
    activations = 5 * batch_size * values_per_row * bytes_per_value
    return Floor(bytes=activations + 7 * 4 * found.num_params, operations=6.0 * found.macs * batch_size)


def speed_of(step: Callable[[], object], device: torch.device, *, seconds: float, candidates: int) -> float:
    """Candidate-steps per second, median of five turns after a warm-up."""
    for _ in range(3):
        step()
    found = []
    for _ in range(5):
        _wait(device)
        steps, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds / 5:
            step()
            steps += 1
        _wait(device)
        found.append(candidates * steps / (time.perf_counter() - started))
    return sorted(found)[2]


def pack_steps(
    rows: Rows, device: torch.device, *, size: int, batch_size: int, precision: str, steps: int
) -> Callable[[], object]:
    """So many steps of a pack as ``PackTrainer`` takes them, then a look at a few rows."""
    recipe = Recipe(batch_size=batch_size, epochs=10**6, evaluate_every=steps, precision=precision)  # type: ignore[arg-type]
    settings = [Settings(lr=1e-3, seed=k % 8) for k in range(size)]
    looks = candidate_pack(rows, settings, recipe, device=str(device)).run()
    return lambda: next(looks)


def captured_step(rows: Rows, device: torch.device, *, batch_size: int) -> Callable[[], object]:
    """One plain network whose forward and backward pass and optimiser step are one CUDA graph."""
    net = PlainNetwork().to(device)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True, capturable=True)
    arrays = (rows.categorical, rows.numeric, rows.labels)
    categorical, numeric, labels = (torch.from_numpy(array).to(device) for array in arrays)
    chosen = torch.zeros(batch_size, dtype=torch.int64, device=device)

    def step() -> None:
        logits = net(categorical[chosen].long(), numeric[chosen])
        loss = F.binary_cross_entropy_with_logits(logits, labels[chosen], reduction="none").mean(0).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in repeat(None, 3):
            step()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    order = torch.randperm(len(labels), device=device)
    starts = iter(range(10**12))

    def replay() -> None:
        begin = next(starts) * batch_size % (len(order) - batch_size)
        chosen.copy_(order[begin : begin + batch_size])
        graph.replay()

    return replay


def speeds_of_device(device: torch.device, *, size: int = 2048) -> tuple[float, float]:
    """Bytes per second of a large copy, operations per second of a large float32 product."""
    source = torch.zeros(size * size * 8, device=device)
    target = torch.empty_like(source)
    square = torch.ones(size, size, device=device)
    copies = speed_of(lambda: target.copy_(source), device, seconds=0.5, candidates=1)
    products = speed_of(lambda: square @ square, device, seconds=0.5, candidates=1)
    return copies * 2 * source.numel() * source.element_size(), products * 2 * size**3


def measure(
    device: torch.device,
    *,
    sizes: Sequence[int] = SIZES,
    precisions: Sequence[str] = PRECISIONS,
    batch_size: int = BATCH,
    num_rows: int = ROWS,
    seconds: float = 3.0,
    product: int = 2048,
    steps: int = 32,
) -> list[dict[str, object]]:
    """The table: a row per precision and K."""
    rows = census_rows(train=num_rows, valid=64)
    plain = plain_steps(rows, batch_size=batch_size, fused=True, device=str(device))
    eager = speed_of(lambda: next(plain), device, seconds=seconds, candidates=1)
    captured = None
    if device.type == "cuda":
        replay = captured_step(rows, device, batch_size=batch_size)
        captured = speed_of(replay, device, seconds=seconds, candidates=1)
    bytes_per_s, operations_per_s = speeds_of_device(device, size=product)
    found: list[dict[str, object]] = []
    for precision in precisions:
        floor = floor_of(batch_size, bytes_per_value=2 if precision == "bfloat16" else 4)
        least_s = floor.seconds(bytes_per_s=bytes_per_s, operations_per_s=operations_per_s)
        for size in sizes:
            stepping = pack_steps(rows, device, size=size, batch_size=batch_size, precision=precision, steps=steps)
            speed = speed_of(stepping, device, seconds=seconds, candidates=size * steps)
            row: dict[str, object] = {"precision": precision, "K": size, "candidate-steps/s": speed}
            row |= {"against eager": speed / eager, "against captured": None if captured is None else speed / captured}
            row |= {"MB a candidate-step": floor.bytes / 1e6, "GFLOP": floor.operations / 1e9}
            found.append(row | {"share of the floor's speed": speed * least_s})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=3.0)
    chosen = parser.parse_args()
    device = torch.device(chosen.device)
    publish(
        "pack_gpu",
        title="Packs on a GPU",
        facts={
            "batch": BATCH,
            "goals": GOALS,
            "floor": "the larger of bytes at copy speed, operations at product speed",
        },
        rows=measure(device, seconds=chosen.seconds),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
    )


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
