"""What a balancer is: it weighs the tasks of every candidate of a pack at every step.

Three kinds, by what they look at. Loss balancers need no more than the losses. Gram balancers need the inner products
of the task gradients on the shared parameters. Jacobian balancers need the gradients themselves and combine them.

A task without a labelled row in a batch has loss and gradient zero, which says nothing of it: it is left out of the
step, as if it were not there, and what a balancer remembers of it stays. The others are weighed among themselves.

Legend: K pack, T tasks, P elements of one candidate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtnas.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class PackShape:
    """What a balancer must know of the pack it serves.

    Attributes:
        tasks: in the order of the losses.
        seeds: one per candidate, for methods that draw.
        steps_per_epoch: optimiser steps of one pass over the data.
        device: where losses are.
        dtype: their type.
    """

    tasks: tuple[Task, ...]
    seeds: tuple[int, ...]
    steps_per_epoch: int
    device: torch.device
    dtype: torch.dtype = torch.float32

    def ones(self) -> Tensor:
        """``[K, T]``."""
        return torch.ones(len(self.seeds), len(self.tasks), device=self.device, dtype=self.dtype)


class Remembering:
    """State that a resumed run needs: tensors in the attributes that a subclass names, the pack axis K first."""

    _remembered: Sequence[str] = ()

    def state(self) -> dict[str, Tensor]:
        """Copies of all that changes while training."""
        return {name: getattr(self, name).clone() for name in self._remembered}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of the same pack."""
        for name in self._remembered:
            getattr(self, name).copy_(state[name])


class LossBalancer(Remembering, ABC):
    """Weighs tasks by their losses; never waits for the device."""

    @abstractmethod
    def weights(self, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """Weights ``[K, T]`` without gradients, for the losses ``[K, T]`` of step ``step`` (from 0).

        ``present_KT``: which tasks the batch has labels of, bool; ``None`` means all.
        """


class LateLossBalancer(LossBalancer):
    """Also wants the losses of the same rows after the step."""

    @abstractmethod
    def after(self, losses_KT: Tensor, present_KT: Tensor | None = None) -> None:
        """Learn from the losses ``[K, T]`` after the step, of the tasks that the batch has labels of."""


class GramBalancer(Remembering, ABC):
    """Weighs tasks by the Gram matrix of their gradients on the shared parameters."""

    @abstractmethod
    def weights(self, gram_KTT: Tensor, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """Weights ``[K, T]`` of the task gradients whose inner products are ``gram_KTT`` (finite).

        ``present_KT``: which tasks the batch has labels of, bool; ``None`` means all.
        """


class JacobianBalancer(Remembering, ABC):
    """Combines the task gradients of one candidate."""

    @abstractmethod
    def combine(self, gradients_TP: Tensor, step: int) -> Tensor:
        """The direction ``[P]``; a task that the batch has no labels of has gradient zero and no say."""


def everyone(losses_KT: Tensor, present_KT: Tensor | None) -> Tensor:
    """``present_KT``, or all tasks."""
    return torch.ones_like(losses_KT, dtype=torch.bool) if present_KT is None else present_KT


Balancer = LossBalancer | GramBalancer | JacobianBalancer
