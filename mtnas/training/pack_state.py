"""A pack's state, tensors by name, cut down to some of its candidates or put together from several packs.

Every tensor of :meth:`mtnas.training.trainer.PackTrainer.state` has the pack axis K first, but for the step, which all
candidates of a pack share. Nothing that training draws is kept in a state: orders of rows and noise follow from seeds
and the step. So a candidate's part of a state is all of it, and goes on in whatever company.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtnas.errors import TrainingError

STEP = "step"

PackState = Mapping[str, Tensor]


def keep(state: PackState, index: Sequence[int]) -> dict[str, Tensor]:
    """The state of the candidates at these positions, in this order: how halving shrinks a pack."""
    positions = torch.tensor(index, dtype=torch.int64)
    return {
        name: tensor if name == STEP else tensor.index_select(0, positions.to(tensor.device))
        for name, tensor in state.items()
    }


def join(states: Sequence[PackState]) -> dict[str, Tensor]:
    """The state of one pack of all these packs' candidates, in order.

    Raises:
        TrainingError: no state, or states of different steps, graphs or recipes.
    """
    if not states:
        raise TrainingError(expected="at least one state", found="none", where="joining packs")
    for state in states[1:]:
        if _signature(state) != _signature(states[0]):
            raise TrainingError(
                expected=str(_signature(states[0])), found=str(_signature(state)), where="joining packs"
            )
    return {
        name: tensor if name == STEP else torch.cat([state[name] for state in states])
        for name, tensor in states[0].items()
    }


def _signature(state: PackState) -> dict[str, object]:
    return {
        name: int(tensor) if name == STEP else (tuple(tensor.shape[1:]), tensor.dtype) for name, tensor in state.items()
    }
