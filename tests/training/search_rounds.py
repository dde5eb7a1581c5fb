"""Every search over shared weights on the small problem, in the space that it was made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

import search_spaces
from mtnas.search.specs.gradient_specs import (
    AdashareSearch,
    AutomtlSearch,
    BranchingSearch,
    DartsSearch,
    DselectKSearch,
    GumbelSearch,
    SnrSearch,
)
from mtnas.search.specs.supernet_specs import OneShotSearch, ReinforceSearch, SharedWeightsSearch, SparseSharingSearch
from mtnas.spaces import SearchSpace
from mtnas.training.recipe import Recipe
from mtnas.training.searches.aim import Aim
from mtnas.training.searches.make_search import make_search
from mtnas.training.searches.shared_supernet import Ground
from mtnas.training.searches.supernet_search import SupernetSearch
from mtnas.trials import Settings
from tests.training.problem import INPUTS, TASKS, Arrays, resident

RECIPE = Recipe(batch_size=32, epochs=2)
EXACT = replace(RECIPE, precision="float64")
SETTINGS = (
    Settings(lr=0.01, seed=1, dropout=0.2),
    Settings(lr=0.02, seed=2, data_seed=1),
    Settings(lr=0.01, seed=3, dropout=0.1, weight_decay=0.1),
)
_SEARCHES: dict[str, SharedWeightsSearch] = {
    "reinforce": ReinforceSearch(routes_per_step=4, reward_rows=32, lr=0.1, warmup=0.25),
    "one_shot": OneShotSearch(routes_per_step=4, evaluations=12, population=4, tournament=2),
    "darts": DartsSearch(architecture_rows=32, architecture_every=1, lr=0.1, warmup=0.25, entropy=0.01),
    "gumbel": GumbelSearch(
        architecture_rows=32,
        architecture_every=1,
        lr=0.1,
        warmup=0.25,
        initial=0.6,
        temperature=2.0,
        budget_weight=0.1,
        entropy=0.01,
    ),
    "branching": BranchingSearch(architecture_rows=32, architecture_every=1, lr=0.1, warmup=0.25),
    "adashare": AdashareSearch(architecture_rows=32, architecture_every=1, lr=0.1, warmup=0.25),
    "automtl": AutomtlSearch(architecture_rows=32, architecture_every=1, lr=0.1, warmup=0.25),
    "snr": SnrSearch(architecture_rows=32, architecture_every=1, lr=0.1, warmup=0.25, l0=0.01),
    "dselect_k": DselectKSearch(architecture_rows=32, architecture_every=1, lr=0.1, warmup=0.25, k=2),
    "sparse_sharing": SparseSharingSearch(rounds=3, keep=0.5),
}
# A pack ends when all of its searches are settled, so one alone may end before it: what compares them does not settle.
SEARCHES = {name: spec.model_copy(update={"settle": False}) for name, spec in _SEARCHES.items()}
_SPACES = {
    "reinforce": ("mtnas", {"layers": 2, "subnets": 2, "width": 4}),
    "one_shot": ("mtnas", {"layers": 2, "subnets": 2, "width": 4}),
    "darts": ("mtnas", {"layers": 2, "subnets": 2, "width": 4}),
    "gumbel": ("gumbel_matrix", {"layers": 2, "components": 3, "width": 4}),
    "branching": ("branching", {"layers": 2, "subnets": 3, "width": 4}),
    "adashare": ("adashare", {"layers": 3, "width": 4}),
    "automtl": ("automtl", {"experts": 2, "operations": 2, "hidden": [4, 8], "width": 4}),
    "snr": ("snr", {"layers": 2, "subnets": 3, "width": 4}),
    "sparse_sharing": ("sparse_sharing", {"layers": 2, "groups": 4, "units": 3, "width": 4}),
    "dselect_k": ("dselect_k", {"experts": 3, "k": 2, "layers": 1, "width": 4}),
}


def space_of(name: str) -> SearchSpace:
    """A small space of the kind that the search was made for."""
    kind, options = _SPACES[name]
    return replace(search_spaces.build(kind, TASKS, options), inputs=INPUTS)


def search(
    name: str,
    settings: Sequence[Settings] = SETTINGS[:1],
    *,
    found: Arrays | None = None,
    recipe: Recipe = RECIPE,
    searches: Sequence[SharedWeightsSearch] | None = None,
    within: SearchSpace | None = None,
    most_steps: int | None = None,
    aim: Aim | None = None,
) -> SupernetSearch:
    """Searches of this kind, one per settings."""
    ground = Ground(
        space=within or space_of(name),
        inputs=INPUTS,
        settings=settings,
        tasks=TASKS,
        data=resident(found, dtype=torch.float64 if recipe.precision == "float64" else torch.float32),
        recipe=recipe,
        most_steps=most_steps,
        aim=aim,
    )
    return make_search(ground, searches or [SEARCHES[name]] * len(settings))


def finished(made: SupernetSearch) -> SupernetSearch:
    """The same, run to the end."""
    for _ in made.run():
        pass
    return made


def learned(made: SupernetSearch) -> Tensor:
    """Architecture parameters, policy logits or masks ``[K, P]``; the weights for searches that have none of them."""
    state = made.state()
    if "mask" in state:
        return state["mask"].view(len(state["mask"]) // len(TASKS), -1)
    names = [name for name in ("architecture.weights", "policy.weights", "weights.weights") if name in state]
    return state[names[0]]
