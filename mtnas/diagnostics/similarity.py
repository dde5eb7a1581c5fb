"""Covariance similarity of tasks (METHODS.md section 5): do they use the same directions of the feature space?

Wu, Zhang and Ré, 2020, https://arxiv.org/abs/2005.00944, section 2.3.

Legend: N rows, D features, T tasks, W width of a tower's input.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtnas.supernets import Selection, Supernet
from mtnas.supernets.banks.towers import TowerGroup
from mtnas.training.feeding.batches import rows_in_order
from mtnas.training.feeding.rows import TrainingData
from mtnas.training.measuring.evaluate import evaluation_rows

KEPT = 0.99


def covariance_similarity(first_ND: Tensor, second_ND: Tensor, *, kept: float = KEPT) -> float:
    """``|(U1 D1^.5)^T U2 D2^.5|_F / (|U1 D1^.5|_F |U2 D2^.5|_F)`` with ``X^T X = U D U^T``, in [0, 1].

    Rotating the features of both does not change it. It is 1 only where both lie along one direction: a task spread
    evenly over d directions has the score ``1 / sqrt(d)`` with itself.

    Args:
        first_ND: rows of one task.
        second_ND: rows of the other, of the same features.
        kept: D is cut to the fewest leading values that hold this share of their sum.

    Returns:
        NaN if either has no extent at all.
    """
    one, two = _leading(first_ND.double(), kept), _leading(second_ND.double(), kept)
    size = torch.linalg.matrix_norm(one) * torch.linalg.matrix_norm(two)
    return float(torch.linalg.matrix_norm(one.T @ two) / size)


def input_similarity(net: Supernet, data: TrainingData, part: str) -> list[list[float | None]]:
    """The score of every two tasks ``[T][T]`` over the encoded inputs of the rows that each has labels for."""
    with torch.no_grad():
        batches = rows_in_order(data, parts=(part,), batch_size=evaluation_rows(net))
        encoded_ND = torch.cat([net.encoder(batch)[0] for batch in batches])
    labelled_NT = ~data.labels_of((part,)).isnan()
    return _matrix([encoded_ND[labelled_N] for labelled_N in labelled_NT.unbind(1)])


def representation_similarity(
    net: Supernet, selection: Selection, data: TrainingData, part: str
) -> list[list[float | None]]:
    """The score of every two tasks ``[T][T]`` over what their towers read; ``None`` where widths differ."""
    read: dict[str, list[Tensor]] = {}
    with torch.no_grad():
        for batch in rows_in_order(data, parts=(part,), batch_size=evaluation_rows(net)):
            mixed = net.trunk(batch, selection)
            for towers in net.tower_groups:
                assert isinstance(towers, TowerGroup)
                for task, x_BW in zip(towers.tasks, net.tower_inputs(mixed, towers)[0], strict=True):
                    read.setdefault(task, []).append(x_BW)
    return _matrix([torch.cat(read[task]) for task in net.graph.tasks])


def _leading(x_ND: Tensor, kept: float) -> Tensor:
    """``U D^.5 [D, r]``, from the singular values of X themselves: D holds their squares."""
    found = torch.linalg.svd(x_ND, full_matrices=False)
    lengths = found.S.square()
    rank = int((lengths.cumsum(0) < kept * lengths.sum()).sum()) + 1
    root_Dr: Tensor = found.Vh[:rank].T * found.S[:rank]
    return root_Dr


def _matrix(of_task: list[Tensor]) -> list[list[float | None]]:
    return [
        [
            covariance_similarity(one, two) if one.shape[1] == two.shape[1] and len(one) and len(two) else None
            for two in of_task
        ]
        for one in of_task
    ]
