"""What a search over shared weights costs, in trainings of one MMoE of the same size with as many steps.

Steps of every search and of the MMoE in turn, on rows in the shapes of Census-Income, one thread; medians over rounds
of the ratio of two neighbours in time. No search has a warm-up here: every step counts with its architecture step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from statistics import median

import torch

import search_spaces
from benchmarks.census_shapes import INPUTS, SUBNETS, TASKS, WIDTH, census_rows, named_pack
from benchmarks.publishing import publish
from mtnas.routes.schemes.by_name import Size
from mtnas.search.specs.gradient_specs import (
    AdashareSearch,
    AutomtlSearch,
    BranchingSearch,
    DartsSearch,
    DselectKSearch,
    GumbelSearch,
    SnrSearch,
)
from mtnas.search.specs.supernet_specs import OneShotSearch, ReinforceSearch, SharedWeightsSearch
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.searches.make_search import make_search
from mtnas.training.searches.shared_supernet import Ground
from mtnas.trials import Settings

BATCH, STEPS, ROUNDS = 1024, 4, 9
LAYERS = {"layers": 2, "subnets": SUBNETS, "width": WIDTH}
SEARCHES: dict[str, tuple[str, Mapping[str, object], SharedWeightsSearch]] = {
    "reinforce": ("mtnas", LAYERS, ReinforceSearch(warmup=0)),
    "one_shot": ("mtnas", LAYERS, OneShotSearch()),
    "darts": ("mtnas", LAYERS, DartsSearch(warmup=0)),
    "branching": ("branching", LAYERS, BranchingSearch(warmup=0)),
    "snr": ("snr", LAYERS, SnrSearch(warmup=0)),
    "dselect_k": ("dselect_k", {"experts": SUBNETS, "layers": 2, "width": WIDTH}, DselectKSearch(warmup=0)),
    "gumbel": (
        "gumbel_matrix",
        {"layers": 2, "components": SUBNETS // len(TASKS), "width": WIDTH},
        GumbelSearch(warmup=0),
    ),
    "adashare": ("adashare", {"layers": SUBNETS - 1, "width": WIDTH}, AdashareSearch(warmup=0)),
    "automtl": (
        "automtl",
        {"experts": SUBNETS, "operations": 1, "hidden": [WIDTH], "width": WIDTH},
        AutomtlSearch(warmup=0),
    ),
}


def main() -> None:
    """Measure, and write ``results/gradient_cost.{json,md}``."""
    torch.set_num_threads(1)
    mmoe = seconds_of(mmoe_steps())
    rows = []
    for name, (space, _, _) in SEARCHES.items():
        search = seconds_of(search_steps(name))
        ratio = median(search() / mmoe() for _ in range(ROUNDS))
        rows.append({"search": name, "space": space, "step, in MMoE steps": ratio, "at most 2": ratio <= 2})
        print(rows[-1], flush=True)
    publish(
        "gradient_cost",
        title="Cost of a search step",
        reading=(
            f"Weights' and architecture's step of one search, in steps of an MMoE with {SUBNETS} experts of two layers "
            f"of {WIDTH} units. Supernets run as many sub-networks of that width; where every task has a stream of its "
            f"own, that is half as many components ({len(TASKS)} tasks)."
        ),
        facts={"batch": BATCH, "steps a turn": STEPS, "turns": ROUNDS, "architecture rows": 256},
        rows=rows,
    )


def seconds_of(steps: Iterator[None]) -> Callable[[], float]:
    """A clock that takes some steps and says how long they took."""
    for _ in range(STEPS):
        next(steps)

    def measure() -> float:
        begun = time.perf_counter()
        for _ in range(STEPS):
            next(steps)
        return time.perf_counter() - begun

    return measure


def mmoe_steps() -> Iterator[None]:
    """One step at a time, for ever."""
    rows = census_rows(train=BATCH * 32, valid=BATCH)
    recipe = Recipe(batch_size=BATCH, epochs=1000)
    pack = named_pack("mmoe", Size(layers=2, experts=SUBNETS, width=WIDTH), rows, [Settings(dropout=0.1)], recipe)
    for epoch in range(recipe.epochs):
        for batch in pack._stream.epoch(epoch):
            pack._train_step(batch)
            yield


def search_steps(name: str) -> Iterator[None]:
    """The same for a search."""
    space_name, options, search = SEARCHES[name]
    rows = census_rows(train=BATCH * 32, valid=BATCH * 4)
    rows = replace(rows, parts={**rows.parts, "search": rows.parts["valid"]})
    made = make_search(
        Ground(
            space=replace(search_spaces.build(space_name, TASKS, options), inputs=INPUTS),
            inputs=INPUTS,
            settings=[Settings(dropout=0.1)],
            tasks=TASKS,
            data=ResidentData.of(rows, torch.device("cpu")),
            recipe=Recipe(batch_size=BATCH, epochs=1000),
        ),
        [search],
    )
    yield from made.steps()


if __name__ == "__main__":
    main()
