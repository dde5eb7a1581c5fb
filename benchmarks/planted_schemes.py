"""The searching schemes of the planted-recovery table: each method in the space that it was made for.

Every scheme has twice as many sub-networks, components or experts as there are clusters: where there are only as many,
two clusters that meet in one early have nowhere else to go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import search_spaces
from benchmarks.planted_instances import WIDTH
from mtnas.routes import InputShape
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
from mtnas.spaces import Constraints, SearchSpace
from mtnas.tasks import Task

SEARCHES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """A search and its space, for so many clusters.

    Attributes:
        options: of the space, by the number of clusters.
        max_in_degree: limit on top of the space's own.
        searches: in the pack; those that vary numbers take the values in turn.
    """

    space: str
    options: Callable[[int], dict[str, object]]
    search: SharedWeightsSearch
    max_in_degree: int | None = None
    searches: int = SEARCHES

    def build(self, tasks: Sequence[Task], clusters: int, inputs: InputShape) -> SearchSpace:
        """The space for these tasks."""
        built = search_spaces.build(self.space, tasks, self.options(clusters))
        return replace(built, constraints=Constraints(max_in_degree=self.max_in_degree), inputs=inputs)


def _layers(clusters: int) -> dict[str, object]:
    return {"layers": 1, "subnets": 2 * clusters, "width": WIDTH}


BRANCHING = BranchingSearch(
    architecture_every=1,
    routes_per_step=8,
    lr=0.05,
    vary={"cost": (0.0, 0.005, 0.02)},
    temperature=3.0,
    temperature_floor=0.3,
)
SCHEMES: dict[str, Scheme] = {
    "MTNAS (reinforce)": Scheme(
        space="mtnas", options=_layers, search=ReinforceSearch(policy_every=2, lr=0.1, entropy=0.01), max_in_degree=1
    ),
    "one-shot + evolution": Scheme(
        space="mtnas", options=_layers, search=OneShotSearch(evaluations=64), max_in_degree=1
    ),
    "Learning to Branch / BMTAS": Scheme(
        space="branching",
        options=_layers,
        search=BRANCHING,
    ),
    "DARTS": Scheme(
        space="branching",
        options=_layers,
        search=DartsSearch(architecture_every=1, lr=0.02, vary={"entropy": (0.01, 0.05)}),
    ),
    "Gumbel-Matrix": Scheme(
        space="gumbel_matrix",
        options=lambda clusters: {"layers": 1, "components": 2 * clusters, "width": WIDTH},
        search=GumbelSearch(
            architecture_every=1,
            budget=0.5,
            vary={"budget_weight": (0.1, 0.3, 1.0)},
            initial=0.7,
            routes_per_step=8,
            lr=0.05,
            temperature=5.0,
            entropy=0.02,
        ),
    ),
    "SNR-Aver": Scheme(
        space="snr", options=_layers, search=SnrSearch(architecture_every=1, lr=0.1, vary={"l0": (0.03, 0.1, 0.3)})
    ),
    "DSelect-k": Scheme(
        space="dselect_k",
        options=lambda clusters: {"experts": 2 * clusters, "k": 2, "layers": 1, "width": WIDTH},
        search=DselectKSearch(architecture_every=1, k=2, lr=0.05, vary={"dselect_entropy": (0.001, 0.1)}),
    ),
    "Sparse Sharing": Scheme(
        space="sparse_sharing",
        options=lambda clusters: {"layers": 1, "groups": 2 * clusters, "units": WIDTH, "width": WIDTH},
        search=SparseSharingSearch(rounds=3, keep=0.5),
        searches=1,
    ),
    "AdaShare": Scheme(
        space="adashare",
        options=lambda clusters: {"layers": 2 * clusters, "width": WIDTH},
        search=AdashareSearch(architecture_every=1, lr=0.05, temperature=2.0, vary={"sharing": (0.02, 0.1)}),
    ),
    "AutoMTL": Scheme(
        space="automtl",
        options=lambda clusters: {"experts": 2 * clusters, "operations": 1, "hidden": [WIDTH], "width": WIDTH},
        search=AutomtlSearch(architecture_every=1, lr=0.05),
    ),
    "joint space (branching)": Scheme(
        space="joint",
        options=lambda clusters: {"layers": 1, "components": 2 * clusters, "width": WIDTH, "max_inputs": 1},
        search=BRANCHING,
    ),
}
