"""A trained network as bytes that travel: what a later training starts from."""

from __future__ import annotations

from dataclasses import dataclass

import safetensors.torch
import torch

from mtnas.routes import InputShape, RouteGraph
from mtnas.supernets.supernet import Supernet


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """One trained route.

    Attributes:
        graph: the route's narrowed graph.
        weights: of ``freeze(supernet, route)``, as safetensors bytes.
    """

    graph: RouteGraph
    weights: bytes

    @staticmethod
    def of(frozen: Supernet) -> Trained:
        """What ``freeze`` gave."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in frozen.state_dict().items()}
        return Trained(graph=frozen.graph, weights=safetensors.torch.save(tensors))

    def network(self, inputs: InputShape, *, device: torch.device | str = "cpu") -> Supernet:
        """The network, for inputs of the shape it was trained on, in the type it was trained in."""
        tensors = safetensors.torch.load(self.weights)
        dtype = next(iter(tensors.values())).dtype
        aligned = any(name.startswith("alignment.") for name in tensors)
        net = Supernet(self.graph, inputs, [0], device=device, dtype=dtype, aligned=aligned)
        net.load_state_dict(tensors)
        return net
