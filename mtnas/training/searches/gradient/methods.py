"""From a specification to the architecture that its method learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from mtnas.routes import InputShape
from mtnas.search.specs.fitness import check_fitness
from mtnas.search.specs.gradient_specs import (
    AdashareSearch,
    AutomtlSearch,
    BranchingSearch,
    DartsSearch,
    DselectKSearch,
    GradientSearch,
    GumbelSearch,
    SnrSearch,
)
from mtnas.spaces import SearchSpace
from mtnas.training.searches.gradient.adashare import AdaShare
from mtnas.training.searches.gradient.architecture import Architecture
from mtnas.training.searches.gradient.automtl import AutoMtl
from mtnas.training.searches.gradient.branching import Branching
from mtnas.training.searches.gradient.darts import Darts
from mtnas.training.searches.gradient.dselect_k import DselectK
from mtnas.training.searches.gradient.gumbel import GumbelMatrix
from mtnas.training.searches.gradient.snr import Snr

METHODS: dict[type[GradientSearch], type[Architecture[Any]]] = {
    AdashareSearch: AdaShare,
    AutomtlSearch: AutoMtl,
    BranchingSearch: Branching,
    DartsSearch: Darts,
    DselectKSearch: DselectK,
    GumbelSearch: GumbelMatrix,
    SnrSearch: Snr,
}


def make_architecture(
    space: SearchSpace,
    inputs: InputShape,
    searches: Sequence[GradientSearch],
    device: torch.device,
    dtype: torch.dtype,
) -> Architecture[Any]:
    """The architecture parameters of searches that are of one kind.

    Raises:
        SpaceError: a space without the choices that the method makes.
    """
    check_fitness(searches[0], space)  # type: ignore[arg-type]
    return METHODS[type(searches[0])](replace(space, inputs=inputs), searches, device, dtype)
