"""Where a pack's training step spends its CPU time, by kind of operation."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.census_shapes import candidate_pack, census_rows
from mtnas.training.recipe import Recipe
from mtnas.trials import Settings

SHARES = {
    "products": ("bmm", "mm", "addmm", "baddbmm"),
    "embeddings": ("embedding", "embedding_dense_backward", "index_select"),
    "copies": ("clone", "cat", "stack", "copy_", "_to_copy", "index", "constant_pad_nd"),
    "optimiser": ("_fused_adamw_",),
    "sums": ("sum", "mean", "amax", "linalg_vector_norm"),
    "views and sizes": ("view", "_unsafe_view", "expand", "transpose", "permute", "unsqueeze", "squeeze", "slice", "t"),
    "element by element": (),
}


class _Clock(TorchDispatchMode):
    """CPU seconds by name of operation."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        started = time.thread_time()
        found = func(*args, **(kwargs or {}))
        self.seconds[func.overloadpacket.__name__] += time.thread_time() - started
        return found


def shares(*, batch_size: int, size: int, steps: int = 8) -> dict[str, float]:
    """Shares of the time inside operations, by the kinds of ``SHARES``, largest first."""
    torch.set_num_threads(1)
    recipe = Recipe(batch_size=batch_size, epochs=10**6, evaluate_every=steps)
    settings = [Settings(lr=1e-3, seed=k) for k in range(size)]
    looks = candidate_pack(census_rows(train=2**15, valid=64), settings, recipe).run()
    next(looks)
    with _Clock() as clock:
        next(looks)
    kind_of = {name: kind for kind, names in SHARES.items() for name in names}
    found: Counter[str] = Counter()
    for name, seconds in clock.seconds.items():
        found[kind_of.get(name, "element by element")] += seconds
    total = sum(found.values())
    return {kind: seconds / total for kind, seconds in found.most_common()}
