"""Epochs per minute of shared-bottom, MMoE and PLE against the peers, as a user runs each (PyPI, extra ``benchmarks``).

Rows in the shapes of Census-Income, 174,336 to an epoch, batch 1024, two binary tasks, 32 categorical and 8 numeric
features, networks of equal size (their normalisation is their own: torch-rechub batch, deepctr-torch none, ours layer).
Peers run in one process with two threads, their default on two cores; so does ours at K = 1. Packed, ours runs in two
processes of one thread, as a job's actors do, and an epoch of K networks counts K times.

    OMP_NUM_THREADS=1 python -m benchmarks.peers [--quick]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version
from statistics import median

from benchmarks.census_shapes import census_rows, named_pack
from benchmarks.peer_loops import BOTTOM, EXPERTS, LEVELS, WIDTH, deepctr_epochs, rechub_epochs
from benchmarks.publishing import publish
from benchmarks.racing import Entrant, race, ratio
from mtnas.routes.schemes.by_name import Size
from mtnas.training.recipe import Recipe
from mtnas.trials import Settings

EPOCH = 174_336
BATCH, PACKED = 1024, 4
PEERS = ("torch-rechub", "deepctr-torch")
SIZES = {
    "shared_bottom": Size(layers=len(BOTTOM), width=BOTTOM[0]),
    "mmoe": Size(layers=LEVELS, experts=EXPERTS, width=WIDTH),
    "ple": Size(layers=LEVELS, experts=2, width=WIDTH),
}


def ours(*, model: str, rows: int, batch_size: int, size: int) -> Iterator[int]:
    """Rows times candidates of every epoch, a look at a few rows of ``valid`` included."""
    settings = [Settings(lr=1e-3, seed=k) for k in range(size)]
    recipe = Recipe(batch_size=batch_size, epochs=10**6)
    for _ in named_pack(model, SIZES[model], census_rows(train=rows, valid=64), settings, recipe).run():
        yield size * rows


def entrants(model: str, rows: int) -> list[Entrant]:
    """Every library with one network, and ours packed."""
    settings = {"model": model, "rows": rows, "batch_size": BATCH}
    return [
        Entrant(name="torch-rechub", loop=rechub_epochs, settings=settings, processes=1, threads=2),
        Entrant(name="deepctr-torch", loop=deepctr_epochs, settings=settings, processes=1, threads=2),
        Entrant(name="ours", loop=ours, settings=settings | {"size": 1}, processes=1, threads=2),
        Entrant(name="ours packed", loop=ours, settings=settings | {"size": PACKED}, processes=2, threads=1),
    ]


def main(*, quick: bool) -> None:
    rows: list[dict[str, object]] = []
    for model in SIZES:
        speeds = race(entrants(model, 2**12 if quick else 2**14), rounds=2 if quick else 5, seconds=1.0)
        row: dict[str, object] = {"network": model}
        row |= {f"{name}, epochs/min": 60 * median(found) / EPOCH for name, found in speeds.items()}
        row |= {
            f"packed against {name}": ratio(speeds, "ours packed", name) for name in ("torch-rechub", "deepctr-torch")
        }
        rows.append(row)
    publish(
        "peers",
        title="Epochs per minute against the peers, two CPU cores",
        facts={
            **{name: version(name) for name in PEERS},
            "batch": BATCH,
            "rows to an epoch": EPOCH,
            "packed": f"K = {PACKED} in each of two processes",
            "rounds": "interleaved, medians",
        },
        rows=rows,
        reading="LibMTL 1.1.5, the newest on PyPI, cannot be imported beside a current torchvision (it asks for "
        "`torchvision.models.utils`), and its trainer calls an iterator's method that torch has dropped.",
    )


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
