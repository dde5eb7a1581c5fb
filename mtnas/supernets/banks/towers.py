"""Groups of equal towers: every task's last layers, applied as batched products.

Legend: K pack, T towers of one shape, B batch, D input width, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtnas.routes import Tower
from mtnas.supernets.initial import Initial


class TowerGroup(nn.Module):
    """Towers with equal input width, hidden widths and outputs: linear and ReLU per hidden layer, then linear."""

    def __init__(self, towers: Sequence[Tower], in_width: int, initial: Initial) -> None:
        super().__init__()
        self.tasks = tuple(tower.task for tower in towers)
        self.reads = tuple(tower.reads for tower in towers)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        widths = (in_width, *towers[0].hidden, towers[0].outputs)
        for depth, (fan_in, width) in enumerate(pairwise(widths)):
            sites = [f"tower.{task}/{depth}" for task in self.tasks]
            bound = sqrt(6 / fan_in) if depth < len(widths) - 2 else 1 / sqrt(fan_in)
            self.weights.append(initial.uniform(sites, (fan_in, width), bound))
            self.biases.append(initial.constant(sites, (width,), 0.0))

    def forward(self, x_KTBD: Tensor) -> Tensor:
        """``[K, T, B, O]`` logits or values."""
        for depth, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x_KTBD = x_KTBD @ weight + bias.unsqueeze(2)
            if depth < len(self.weights) - 1:
                x_KTBD = F.relu(x_KTBD)
        return x_KTBD


def product_logit(first: Tensor, second: Tensor) -> Tensor:
    """The logit of sigmoid(first) * sigmoid(second), without leaving the logits (ESMM; Ma et al., SIGIR 2018).

    p / (1 - p) with p = 1 / ((1 + e^-a) (1 + e^-b)) is 1 / (e^-a + e^-b + e^-(a + b)).
    """
    return -torch.stack((-first, -second, -first - second)).logsumexp(0)
