"""Checkpoints of packs: a trainer's or a search's state and the seconds it took, as safetensors bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import safetensors.torch
import torch
from torch import Tensor

from mtnas.run.packs.pack_task import PackTask
from mtnas.training.pack_state import STEP, join, keep
from mtnas.training.patience import PatientTrainer
from mtnas.training.searches.supernet_search import SupernetSearch
from mtnas.training.trainer import PackTrainer

SECONDS = "seconds"


def resumed(
    task: PackTask, work: PackTrainer | PatientTrainer | SupernetSearch, num_shares: int = 1
) -> tuple[int, Tensor]:
    """Go on from the task's checkpoint, if it has one; the step, and the seconds that each share of the pack had cost.

    A candidate of a trained pack has a share of its own, since halving may change its company; a search has one.
    """
    if task.resume is None:
        return 0, torch.zeros(num_shares, dtype=torch.float64)
    state = safetensors.torch.load(task.resume)
    seconds = state.pop(SECONDS)
    work.load_state(state)
    return int(state[STEP]), seconds


def state_of(work: PackTrainer | PatientTrainer | SupernetSearch, spent: Tensor, started: float) -> bytes:
    """A checkpoint of the work as it is.

    Args:
        work: what to go on with.
        spent: seconds that each share of the pack had cost before ``started``.
        started: when this attempt began, on the monotonic clock.
    """
    return to_bytes(work.state() | {SECONDS: spent + (time.monotonic() - started) / len(spent)})


def cut(pieces: Sequence[tuple[bytes, Sequence[int]]]) -> bytes:
    """A pack's checkpoint made of some candidates of others', each a checkpoint with positions in it."""
    return to_bytes(join([keep(safetensors.torch.load(state), places) for state, places in pieces]))


def to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors as safetensors bytes, from whatever device."""
    return safetensors.torch.save({name: tensor.contiguous().cpu() for name, tensor in tensors.items()})
