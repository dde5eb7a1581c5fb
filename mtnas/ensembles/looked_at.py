"""Which rows of a part predictions are for: those of every task, or each task's own (``task_batches``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtnas.data import EncodedData


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LookedAt:
    """N rows per task of one part, in the order in which ``predict`` gives outputs.

    Attributes:
        places: ``[N, T]``, the rows as places in the part.
        labels: ``[N, T]``; NaN where there is none, or where a task with fewer rows repeats one.
        weights: ``[N, T]``, how much a row counts; ``None`` where all count alike.
    """

    places: Tensor
    labels: Tensor
    weights: Tensor | None = None

    def weights_of(self, task: int) -> Tensor | None:
        """``[N]`` of the task at this place."""
        return None if self.weights is None else self.weights[:, task]

    @staticmethod
    def of(data: EncodedData, part: str, *, own_rows: bool) -> LookedAt:
        """The rows of a part."""
        labels_NT = data.labels[data.parts[part]]
        num_rows, num_tasks = labels_NT.shape
        if not own_rows:
            places = torch.arange(num_rows)[:, None].expand(-1, num_tasks)
            return LookedAt(places=places, labels=torch.from_numpy(labels_NT), weights=_gathered(data, part, places))
        own: list[NDArray[np.int64]] = [np.flatnonzero(~np.isnan(labels_NT[:, t])) for t in range(num_tasks)]
        longest = max(map(len, own))
        places_NT = np.stack([np.concatenate((rows, np.repeat(rows[:1], longest - len(rows)))) for rows in own], axis=1)
        found = np.full(places_NT.shape, np.nan, dtype=labels_NT.dtype)
        for t, rows in enumerate(own):
            found[: len(rows), t] = labels_NT[rows, t]
        places = torch.from_numpy(places_NT)
        return LookedAt(places=places, labels=torch.from_numpy(found), weights=_gathered(data, part, places))


def _gathered(data: EncodedData, part: str, places_NT: Tensor) -> Tensor | None:
    if data.weights is None:
        return None
    return torch.from_numpy(data.weights[data.parts[part]]).gather(0, places_NT)
