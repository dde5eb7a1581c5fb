"""Groups of equal towers: every task's last layers, applied as batched products.

Legend: K pack, T towers of one shape, B batch, D input width, O outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtnas.routes import Tower
from mtnas.supernets.initial import Initial

RAREST = 1e-4  # of a rate that a tower starts at: a class that training rows lack can still be learnt


class TowerGroup(nn.Module):
    """Towers with equal input width, hidden widths and outputs: linear and ReLU per hidden layer, then linear."""

    def __init__(
        self, towers: Sequence[Tower], in_width: int, initial: Initial, *, starts: Mapping[str, Sequence[float]]
    ) -> None:
        """Make the towers.

        Args:
            towers: of one shape.
            in_width: of what they read.
            initial: draws the weights.
            starts: last biases by task, from :func:`starting_outputs`; zero for tasks that it does not have.
        """
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
        last = self.biases[-1].data
        for place, task in enumerate(self.tasks):
            if task in starts:
                last[:, place] = torch.tensor(tuple(starts[task]), dtype=last.dtype, device=last.device)

    def forward(self, x_KTBD: Tensor) -> Tensor:
        """``[K, T, B, O]`` logits or values."""
        for depth, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x_KTBD = x_KTBD @ weight + bias.unsqueeze(2)
            if depth < len(self.weights) - 1:
                x_KTBD = F.relu(x_KTBD)
        return x_KTBD


def starting_outputs(towers: Sequence[Tower], rates: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, ...]]:
    """What each tower should say before it knows anything of a row: logits of the training rows' rates.

    A tower whose probability is multiplied by another task's starts at the quotient. Regressions, whose targets are
    standardised, start at zero: the mean.

    Args:
        towers: all of a graph.
        rates: by task, the mean of a binary label or the share of every class (``Task.rates``); none where unknown.
    """
    starts: dict[str, tuple[float, ...]] = {}
    for tower in towers:
        found = rates.get(tower.task, ())
        if tower.outputs == 1 and len(found) == 1:
            before = rates.get(tower.product_of or "", ())
            share = found[0] / before[0] if before and before[0] > 0 else found[0]
            share = min(max(share, RAREST), 1 - RAREST)
            starts[tower.task] = (log(share / (1 - share)),)
        elif found and len(found) == tower.outputs:
            starts[tower.task] = tuple(log(max(share, RAREST)) for share in found)
    return starts


def product_logit(first: Tensor, second: Tensor) -> Tensor:
    """The logit of sigmoid(first) * sigmoid(second), without leaving the logits (ESMM; Ma et al., SIGIR 2018).

    p / (1 - p) with p = 1 / ((1 + e^-a) (1 + e^-b)) is 1 / (e^-a + e^-b + e^-(a + b)).
    """
    return -torch.stack((-first, -second, -first - second)).logsumexp(0)
