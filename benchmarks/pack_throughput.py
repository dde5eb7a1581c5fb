"""Candidate-steps per second of packs against plain networks, on a CPU of two cores (issue 5).

The candidate: two layers of four sub-networks, two tasks, 264 inputs in the shapes of Census-Income
(``census_shapes``), 0.62 GFLOP a step at batch 1024. Ours: the real ``PackTrainer``, batches gathered, losses,
gradients and AdamW included, in two processes of one thread, as Ray actors run packs. Against

(a) one plain network after another: default Adam, two threads, and
(b) plain networks in two processes of one thread with fused Adam: Ray Tune with reused actors, at best.

    OMP_NUM_THREADS=1 python -m benchmarks.pack_throughput [--quick]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from statistics import median

from benchmarks.census_shapes import TASKS, candidate_graph, candidate_pack, census_rows
from benchmarks.plain_network import plain_steps
from benchmarks.publishing import publish
from benchmarks.racing import Entrant, race, ratio
from benchmarks.step_shares import shares
from mtnas.training.recipe import Recipe
from mtnas.trials import Settings

SIZES = {256: (1, 4, 8, 16), 1024: (1, 2, 4), 4096: (1, 2)}
BEST = {256: 16, 1024: 4, 4096: 2}  # what ``mtnas.run.packs.sizing`` takes
GOALS = {256: (6.0, 2.3), 1024: (3.0, 1.6)}
ROWS = 2**16


def packed(*, batch_size: int, size: int, dropout: float, precision: str = "float32") -> Iterator[int]:
    """Our step; a look at a few rows of ``valid`` after every 32,768 rows that all candidates together have seen."""
    rows = census_rows(train=ROWS, valid=64)
    settings = [Settings(lr=1e-3, seed=k, dropout=dropout) for k in range(size)]
    steps = 2**15 // (size * batch_size)
    recipe = Recipe(batch_size=batch_size, epochs=10**6, evaluate_every=steps, precision=precision)  # type: ignore[arg-type]
    for _ in candidate_pack(rows, settings, recipe).run():
        yield size * steps


def plain(*, batch_size: int, fused: bool, dropout: float) -> Iterator[int]:
    """One plain network."""
    for _ in plain_steps(census_rows(train=ROWS, valid=64), batch_size=batch_size, fused=fused, dropout=dropout):
        yield 1


def entrants(batch_size: int, dropout: float) -> list[Entrant]:
    """(a), (b), and packs of several sizes."""

    def settings(**more: object) -> dict[str, object]:
        return {"batch_size": batch_size, "dropout": dropout} | more

    found = [
        Entrant(name="a", loop=plain, settings=settings(fused=False), processes=1, threads=2),
        Entrant(name="b", loop=plain, settings=settings(fused=True), processes=2, threads=1),
    ]
    sizes = SIZES[batch_size] if dropout == 0 else (BEST[batch_size],)
    found += [
        Entrant(name=f"K={size}", loop=packed, settings=settings(size=size), processes=2, threads=1) for size in sizes
    ]
    bfloat16 = settings(size=BEST[batch_size], precision="bfloat16")
    return [*found, Entrant(name="bfloat16", loop=packed, settings=bfloat16, processes=2, threads=1)]


def main(*, quick: bool) -> None:
    rows: list[dict[str, object]] = []
    for dropout in (0.0,) if quick else (0.0, 0.1):
        for batch_size, best in BEST.items():
            speeds = race(entrants(batch_size, dropout), rounds=2 if quick else 5, seconds=1.0)
            mine = f"K={best}"
            row: dict[str, object] = {"batch": batch_size, "dropout": dropout, "K": best}
            row |= {"ours, steps/s": median(speeds[mine]), "against (a)": ratio(speeds, mine, "a")}
            row |= {"against (b)": ratio(speeds, mine, "b"), "(b) against (a)": ratio(speeds, "b", "a")}
            row |= {f"bfloat16 against ({to})": ratio(speeds, "bfloat16", to) for to in ("a", "b")}
            shown = ("a", "b", "bfloat16", mine)
            others = [f"{name}: {ratio(speeds, name, 'b'):.2f}" for name in speeds if name not in shown]
            row |= {"other packs against (b)": ", ".join(others)}
            row |= {"goal": " and ".join(f"{goal}x" for goal in GOALS.get(batch_size, ())) if not dropout else ""}
            rows.append(row)
    told = [
        f"batch {batch_size}: " + ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in found.items())
        for batch_size, found in ((b, shares(batch_size=b, size=size)) for b, size in BEST.items())
    ]
    publish(
        "pack_throughput",
        title="Packs against plain networks on two CPU cores",
        facts={
            "tasks": len(TASKS),
            "slots": len(candidate_graph().slots),
            "rounds": "interleaved, medians of ratios within a round",
            "(a)": "one plain network after another, default Adam, two threads",
            "(b)": "two processes of one thread, plain networks, fused Adam",
            "ours": "two processes of one thread, PackTrainer's step in float32",
        },
        rows=rows,
        reading=f"Where the time inside our step's operations goes: {'; '.join(told)}.",
        device="cpu, two cores",
    )


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
