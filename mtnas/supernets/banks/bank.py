"""Banks of equal blocks: the weights of many sub-networks of one kind and shape, applied as batched products.

Legend: K pack, I instances, B batch, D input width, W output width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtnas.routes import Block
from mtnas.supernets.banks.normalise import normalised_relu
from mtnas.supernets.draws import Draws
from mtnas.supernets.initial import Initial
from mtnas.supernets.inputs.encoded_inputs import Inputs, wide_product


class Bank(nn.Module, ABC):
    """I blocks of one kind and shape; every parameter is ``[K, I, ...]``."""

    @abstractmethod
    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """``x`` [K, I, B, D], or [K, 1, B, D] read by all; gives [K, I, B, W].

        With ``chosen`` the axis I holds these instances of the bank, in this order, each as often as it is named.
        """

    def input_maps(self) -> Sequence[Tensor]:
        """Weights ``[K, I, D, W]`` that ``on_inputs`` multiplies the encoder's vector with."""
        return ()

    def on_inputs(self, inputs: Inputs, noise: Draws | None) -> Tensor:
        """What all instances make of the encoder's vector, ``[K, I or 1, B, W]``."""
        found: Tensor = self(inputs.vector.unsqueeze(1), noise)
        return found


def picked(parameter: Tensor, chosen: Sequence[int] | None) -> Tensor:
    """Some instances' weights ``[K, len(chosen), ...]``, without waiting for the device; all of them for None."""
    if chosen is None:
        return parameter
    instances = parameter.unbind(1)
    return torch.stack([instances[index] for index in chosen], dim=1)


class MlpBank(Bank):
    """I perceptrons of equal widths: per layer linear, layer normalisation if wanted, ReLU, dropout."""

    def __init__(self, sites: Sequence[str], block: Block, in_width: int, initial: Initial) -> None:
        super().__init__()
        self.norm = block.norm
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        self.norm_scales, self.norm_shifts = nn.ParameterList(), nn.ParameterList()
        for depth, (fan_in, width) in enumerate(zip((in_width, *block.widths), block.widths, strict=False)):
            names = [f"{site}/{depth}" for site in sites]
            self.weights.append(initial.uniform(names, (fan_in, width), sqrt(6 / fan_in)))
            self.biases.append(initial.constant(names, (width,), 0.0))
            if block.norm:
                self.norm_scales.append(initial.constant(names, (width,), 1.0))
                self.norm_shifts.append(initial.constant(names, (width,), 0.0))

    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """See ``Bank``."""
        for depth, weights in enumerate(self.weights):
            weight = picked(weights, chosen)
            if x.shape[1] == 1 and weight.shape[1] > 1:
                x = self._activate(wide_product(x.squeeze(1), weight), depth, chosen, across=1).transpose(1, 2)
            else:
                x = self._activate(x @ weight, depth, chosen, across=2)
            if noise is not None:
                x = noise.dropout(x)
        return x

    def input_maps(self) -> Sequence[Tensor]:
        """See ``Bank``."""
        return [self.weights[0]]

    def on_inputs(self, inputs: Inputs, noise: Draws | None) -> Tensor:
        """See ``Bank``."""
        x = self._activate(inputs.product(self.weights[0]), 0, None, across=1).transpose(1, 2)
        x = x if noise is None else noise.dropout(x)
        for depth in range(1, len(self.weights)):
            x = self._activate(x @ self.weights[depth], depth, None, across=2)
            x = x if noise is None else noise.dropout(x)
        return x

    def _activate(self, x: Tensor, depth: int, chosen: Sequence[int] | None, *, across: int) -> Tensor:
        """Bias, normalisation and ReLU; parameters [K, I, W] are broadcast over the batch axis ``across``."""
        bias = picked(self.biases[depth], chosen)
        if not self.norm:
            return F.relu(x + bias.unsqueeze(across))
        scale, shift = (picked(p[depth], chosen) for p in (self.norm_scales, self.norm_shifts))
        return normalised_relu(x, bias, scale, shift, across=across)


class IdentityBank(Bank):
    """I identities: the output is the input."""

    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """``x`` [K, I or 1, B, D] as it is."""
        return x
