"""Where a pack's training step spends its CPU time, by kind of operation."""

from __future__ import annotations

from collections import Counter

import torch
from torch.profiler import ProfilerActivity, profile

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
}
KERNELS, REST = "compiled kernels", "element by element"


def shares(*, batch_size: int, size: int, steps: int = 8) -> dict[str, float]:
    """Shares of the time inside operations, by the kinds of ``SHARES``, largest first."""
    torch.set_num_threads(1)
    recipe = Recipe(batch_size=batch_size, epochs=10**6, evaluate_every=steps)
    settings = [Settings(lr=1e-3, seed=k) for k in range(size)]
    looks = candidate_pack(census_rows(train=2**15, valid=64), settings, recipe).run()
    next(looks)
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        next(looks)
    kind_of = {f"aten::{name}": kind for kind, names in SHARES.items() for name in names}
    found: Counter[str] = Counter()
    for event in seen.key_averages():
        kind = KERNELS if event.key.startswith("_Compiled") else kind_of.get(event.key, REST)
        found[kind] += event.self_cpu_time_total
    total = sum(found.values())
    return {kind: spent / total for kind, spent in found.most_common()}
