"""DSelect-k: gates whose binary codes settle on at most k sources (Hazimeh et al., NeurIPS 2021,
https://arxiv.org/abs/2106.03760; METHODS.md section 6).
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.routes import GateKind, RouteGraph
from mtnas.routes.building.relaxed import with_gate
from mtnas.routes.nodes import INPUT_QUERY, STATIC_QUERY
from mtnas.search.specs.gradient_specs import DselectKSearch
from mtnas.spaces import SearchSpace
from mtnas.supernets.gates import DSelectGate
from mtnas.supernets.gates.dselect_k import smooth_step
from mtnas.training.searches.gradient.gated import GatedArchitecture
from mtnas.training.searches.gradient.snr import binary_entropy
from mtnas.training.searches.shared_supernet import SharedWeights
from mtnas.training.step.flat import FlatParameters

_FAINT = 0.05  # a source with less than this value is not kept, even if codes have not quite left it


class DselectK(GatedArchitecture[DselectKSearch]):
    """A route keeps the at most k sources of a junction that weigh most."""

    kind = GateKind.DSELECT_K

    def gated(self, space: SearchSpace) -> RouteGraph:
        """See ``GatedArchitecture``."""
        query = INPUT_QUERY if self.search.per_example else STATIC_QUERY
        return with_gate(space.graph, self.kind, query=query, selectors=self.search.k)

    def gate_settings(self) -> list[dict[str, float]]:
        """See ``GatedArchitecture``."""
        return [search.gate for search in self.searches]

    def is_open(self, values_N: Tensor) -> Tensor:
        """See ``GatedArchitecture``."""
        kept = values_N.topk(min(self.search.k, len(values_N))).indices
        return torch.zeros_like(values_N, dtype=torch.bool).scatter(0, kept, True) & (values_N > _FAINT)

    def flat(self, weights: SharedWeights) -> FlatParameters:
        """See ``Architecture``."""
        self._gates = [module for module in weights.net.modules() if isinstance(module, DSelectGate)]
        return super().flat(weights)

    def entropy(self) -> Tensor:
        """Of the bits of the codes; of their free parts where they depend on the input."""
        width = self.number("smooth_step").view(-1, 1, 1)
        entropies = [binary_entropy(smooth_step(gate.biases[..., gate.selectors :], width)) for gate in self._gates]
        return torch.stack([entropy.flatten(1).sum(1) for entropy in entropies]).sum(0)
