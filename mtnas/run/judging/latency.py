"""Measured latency: how long a frozen route takes for one batch, on the device that trained it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import torch

from mtnas.routes import Route
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Selection, Supernet, freeze
from mtnas.supernets.inputs.encoder import Features
from mtnas.supernets.products import products
from mtnas.training.feeding.rows import TrainingData

WARM_UP, REPEATS = 3, 15
TOGETHER = 8  # routes that are timed in turns, and lie in memory as frozen copies meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Which candidates of a pack have their routes timed.

    Attributes:
        rows: of the batch.
        candidates: positions in the pack.
    """

    rows: int
    candidates: tuple[int, ...]


def time_routes(net: Supernet, routes: Sequence[Route], timing: Timing, data: TrainingData) -> Mapping[int, float]:
    """Microseconds for one batch of the routes to be timed, by position in the pack.

    Each is frozen and evaluated in float32 by one thread, as an export is, on the rows of ``search`` in their order,
    from the first again where they are too few. Routes take turns, so that whatever else the machine does meets all of
    them alike; the figure is the median of the turns after a warm-up. It varies from run to run.

    Args:
        net: the pack.
        routes: one per candidate.
        timing: whose, and on how many rows.
        data: with a part ``search``, on the pack's device.
    """
    known = data.rows_of(("search",))
    rows = known[torch.arange(timing.rows, device=known.device) % len(known)]
    (batch,) = data.gather_each([rows[None]])
    found: dict[int, float] = {}
    for begin in range(0, len(timing.candidates), TOGETHER):
        group = timing.candidates[begin : begin + TOGETHER]
        frozen = [freeze(net, routes[place], candidate=place) for place in group]
        found |= dict(zip(group, latencies_us(frozen, batch), strict=True))
    return found


@torch.no_grad()
def latencies_us(frozen: Sequence[Supernet], batch: Features) -> list[float]:
    """Median microseconds that each module takes for the batch, in turns; modules of one candidate and one route."""
    weights = [next(module.parameters()) for module in frozen]
    selections = [
        Selection.from_routes(module.graph, [[full_route(module.graph)]], device=own.device, dtype=own.dtype)
        for module, own in zip(frozen, weights, strict=True)
    ]
    device, taken = weights[0].device, [list[float]() for _ in frozen]
    with _one_thread(), products(weights[0].dtype, device):
        for turn in range(WARM_UP + REPEATS):
            for module, selection, own in zip(frozen, selections, taken, strict=True):
                _wait_for(device)
                started = time.perf_counter()
                module(batch, selection)
                _wait_for(device)
                if turn >= WARM_UP:
                    own.append((time.perf_counter() - started) * 1e6)
    return [median(own) for own in taken]


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
