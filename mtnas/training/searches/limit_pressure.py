"""What a distribution over routes is charged for being expected to break the limits on cost.

A route that breaks ``max_params`` or ``max_macs`` is no answer, so a search that does not know of them ends outside.
The penalty is a hinge: nothing within the limits, ``WEIGHT`` times the excess, in parts of the limit, beyond them. It
is an expectation under independent edges, an upper bound where paths meet (``expected_use``): what is left is mended
route by route (``mtnas.spaces.within``).

Legend: K pack.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mtnas.routes import Cost, GateKind
from mtnas.routes.schemes.named_route import full_route
from mtnas.spaces import Constraints, SearchSpace
from mtnas.supernets import Selection
from mtnas.training.searches.expected_use import ExpectedUse

_DRAWN = 64
WEIGHT = 5.0
"""An excess of a twentieth outweighs what separates good routes from bad ones (losses are relative, about 1)."""


class LimitPressure:
    """The hinge for a space with limits on cost."""

    def __init__(self, space: SearchSpace, device: torch.device, dtype: torch.dtype) -> None:
        """Lay out the space, its inputs known.

        Args:
            space: with a limit on parameters, on products, or on both.
            device: where to compute.
            dtype: of the probabilities.
        """
        assert space.inputs is not None
        self._use = ExpectedUse(space.graph, space.inputs, device, dtype=dtype)
        whole, least = _largest_cost(space), space.cost(space.cheapest())
        limits = space.constraints
        shares = [
            # The cheapest route uses next to none of the slots, the whole graph all of them.
            max(limit - low, 0) / max(high - low, 1)
            for limit, low, high in (
                (limits.max_params, least.num_params, whole.num_params),
                (limits.max_macs, least.macs, whole.macs),
            )
            if limit is not None
        ]
        self._least = self._share_of(space)
        self._limit = self._least + (1 - self._least) * min(shares)

    @staticmethod
    def of(space: SearchSpace, device: torch.device, dtype: torch.dtype) -> LimitPressure | None:
        """The hinge, or None for a space without such limits."""
        limits = space.constraints
        if limits.max_params is None and limits.max_macs is None:
            return None
        return LimitPressure(space, device, dtype)

    def __call__(self, expected: Selection) -> Tensor:
        """The penalty ``[K]``, given probabilities ``[K, 1, ...]`` of every edge and block."""
        return WEIGHT * (self._use.of_parameters(expected) / self._limit - 1).clamp(min=0)

    def _share_of(self, space: SearchSpace) -> float:
        """The share of the slots' parameters that the cheapest route uses."""
        route = space.cheapest()
        device, dtype = self._use.reachable_TS.device, self._use.reachable_TS.dtype
        told = Selection.from_routes(space.graph, [[route]], device=device, dtype=dtype)
        return max(self._use.of_parameters(told).item(), 1e-6)


def _largest_cost(space: SearchSpace) -> Cost:
    """Of the whole graph; where junctions take one source at a time, the most that routes drawn at random cost."""
    mixes = all(len(j.sources) == 1 or set(j.gates) != {GateKind.PASS} for j in space.graph.junctions)
    if mixes:
        return space.cost(full_route(space.graph))
    rng = np.random.default_rng(0)
    free = replace(space, constraints=Constraints())
    drawn = [free.cost(free.sample(rng)) for _ in range(_DRAWN)]
    return Cost(num_params=max(cost.num_params for cost in drawn), macs=max(cost.macs for cost in drawn))
