"""SNR: hard concrete gates on all connections, closed where the expected number of open ones asks for it (Ma et al.,
AAAI 2019, https://doi.org/10.1609/aaai.v33i01.3301216; METHODS.md section 2).

In a space whose edges have transformations that is SNR-Trans, elsewhere SNR-Aver.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtnas.routes import GateKind
from mtnas.search.specs.gradient_specs import SnrSearch
from mtnas.supernets.gates import HardConcreteGate
from mtnas.training.searches.gradient.gated import GatedArchitecture
from mtnas.training.searches.shared_supernet import SharedWeights
from mtnas.training.step.flat import FlatParameters


class Snr(GatedArchitecture[SnrSearch]):
    """A route keeps the connections whose value is not exactly zero without noise."""

    kind = GateKind.HARD_CONCRETE

    def gate_settings(self) -> list[dict[str, float]]:
        """See ``GatedArchitecture``."""
        return [search.gate for search in self.searches]

    def is_open(self, values_N: Tensor) -> Tensor:
        """See ``GatedArchitecture``."""
        return values_N > 0

    def flat(self, weights: SharedWeights) -> FlatParameters:
        """See ``Architecture``."""
        self._gates = [module for module in weights.net.modules() if isinstance(module, HardConcreteGate)]
        return super().flat(weights)

    def entropy(self) -> Tensor:
        """Of the coins whose odds are alpha."""
        return _summed([binary_entropy(gate.log_alpha.sigmoid()) for gate in self._gates])


def binary_entropy(p: Tensor) -> Tensor:
    """Elementwise, in nats."""
    return -torch.xlogy(p, p) - torch.xlogy(1 - p, 1 - p)


def _summed(of_gates: Sequence[Tensor]) -> Tensor:
    return torch.stack([entropy.flatten(1).sum(1) for entropy in of_gates]).sum(0)
