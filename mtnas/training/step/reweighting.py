"""SVD task reweighting: tasks whose labels point where the others' do weigh more.

Wu, Zhang and Ré, 2020, https://arxiv.org/abs/2005.00944, algorithm 2 (METHODS.md section 5).

Legend: N rows, T tasks, D inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mtnas.errors import TrainingError
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import TrainingData
from mtnas.training.seeds import derived_seed
from mtnas.training_options import SvdReweighting

_ROWS_AT_ONCE = 4096


def svd_task_weights(directions_DT: Tensor, *, rank: int) -> Tensor:
    """``alpha_t = |theta_t^T U_r|`` with U_r the first ``rank`` left singular vectors of ``[theta_1 .. theta_T]``.

    Args:
        directions_DT: every task's ``theta = X^T y``.
        rank: at most T matter; more than T are taken as T.

    Returns:
        ``[T]``, not negative.
    """
    basis_DR = torch.linalg.svd(directions_DT, full_matrices=False).U[:, :rank]
    alpha_T: Tensor = torch.linalg.vector_norm(directions_DT.T @ basis_DR, dim=1)
    return alpha_T


def reweighted(
    data: TrainingData, tasks: Sequence[Task], parts: Sequence[str], settings: SvdReweighting, *, seed: int = 0
) -> Tensor:
    """Task weights ``[T]`` of mean 1 from the training rows, or a sample of them.

    Raises:
        TrainingError: no task's labels have any direction in the inputs.
    """
    weights_T = svd_task_weights(
        label_directions(data, tasks, parts, rows=settings.rows, seed=seed), rank=settings.rank
    )
    if not float(weights_T.sum()) > 0:
        raise TrainingError(expected="labels that vary with the inputs", found="none", where="reweighting")
    return weights_T * len(tasks) / weights_T.sum()


def label_directions(
    data: TrainingData, tasks: Sequence[Task], parts: Sequence[str], *, rows: int | None = None, seed: int = 0
) -> Tensor:
    """``theta_t = X^T y_t / n_t``, ``[D, T]`` in float64, in passes of a few thousand rows.

    X holds the numeric inputs, pixels included, and one column per category (bags left out), standardised; labels are
    standardised too, so that no unit decides. A multiclass task has a column per class; its direction is the leading
    one of those (the first singular vector times its value), which for two classes is the binary one.

    Args:
        data: where the rows are.
        tasks: in the order of the labels.
        parts: rows to look at.
        rows: size of a random sample of them; ``None`` takes all.
        seed: of the sample.
    """
    chosen = data.rows_of(parts)
    if rows is not None and rows < len(chosen):
        generator = torch.Generator().manual_seed(derived_seed("reweighting", seed))
        chosen = chosen[torch.randperm(len(chosen), generator=generator)[:rows].to(chosen.device)]
    labels = [_standardised(data.labels[chosen, t].double(), task) for t, task in enumerate(tasks)]
    wide = torch.cat(labels, dim=1)
    inputs = _Inputs(data, chosen)
    means, counts_of = inputs.means()
    spread = inputs.deviations(means)
    products = [torch.zeros(len(means), wide.shape[1], dtype=torch.float64, device=wide.device)]
    products += [wide.new_zeros(len(counts), wide.shape[1]) for counts in counts_of]
    for part, numeric, categories in inputs.passes():
        standard = torch.where(spread > 0, (numeric - means) / spread.clamp(min=1e-12), 0.0)
        products[0] += standard.T @ wide[part]
        for c in range(len(counts_of)):
            products[1 + c].index_add_(0, categories[:, c], wide[part])
    for c, counts in enumerate(counts_of):
        share = counts.double() / len(chosen)
        spread_of = (share * (1 - share)).sqrt()
        centred = products[1 + c] - share[:, None] * wide.sum(0)
        products[1 + c] = torch.where(spread_of[:, None] > 0, centred / spread_of.clamp(min=1e-12)[:, None], 0.0)
    theta = torch.cat(products)
    columns = torch.split(theta, [label.shape[1] for label in labels], dim=1)
    labelled = [(~data.labels[chosen, t].isnan()).sum().clamp(min=1) for t in range(len(tasks))]
    return torch.stack([_leading(part) / n for part, n in zip(columns, labelled, strict=True)], dim=1)


class _Inputs:
    """The inputs of some rows, a few thousand at a time, since all together may not fit into memory."""

    def __init__(self, data: TrainingData, rows: Tensor) -> None:
        self._data, self._rows = data, rows

    def passes(self) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Where the rows stand, their numbers ``[n, D]`` in float64 and categories ``[n, C]``."""
        begin = 0
        for batch in self._data.gather_each(rows[None] for rows in torch.split(self._rows, _ROWS_AT_ONCE)):
            yield slice(begin, begin + batch.num_rows), batch.numeric[0].double(), batch.categorical[0]
            begin += batch.num_rows

    def means(self) -> tuple[Tensor, list[Tensor]]:
        """Means ``[D]`` of the numbers, and how often each category of every column occurs."""
        total: Tensor | float = 0.0
        counts: list[Tensor] = []
        for _, numeric, categories in self.passes():
            total = total + numeric.sum(0)
            found = [torch.bincount(column) for column in categories.unbind(1)]
            counts = [_added(a, b) for a, b in zip(counts, found, strict=True)] if counts else found
        assert isinstance(total, Tensor)
        return total / len(self._rows), counts

    def deviations(self, means: Tensor) -> Tensor:
        """``[D]``."""
        squares = torch.zeros_like(means)
        for _, numeric, _ in self.passes():
            squares += (numeric - means).square().sum(0)
        return (squares / len(self._rows)).sqrt()


def _added(a: Tensor, b: Tensor) -> Tensor:
    """Counts of two passes, which may have seen categories up to different ones."""
    short, long = sorted((a, b), key=len)
    return torch.cat((long[: len(short)] + short, long[len(short) :]))


def _standardised(labels_N: Tensor, task: Task) -> Tensor:
    """Columns ``[N, 1 or classes]`` of mean 0 and deviation 1 over the labelled rows, 0 elsewhere."""
    labelled = ~labels_N.isnan()
    if task.kind is TaskKind.MULTICLASS:
        columns = functional.one_hot(labels_N.nan_to_num(0.0).long(), task.num_classes).double()
    else:
        columns = labels_N.nan_to_num(0.0)[:, None]
    seen = labelled[:, None].double()
    mean = (columns * seen).sum(0) / seen.sum().clamp(min=1)
    centred = (columns - mean) * seen
    spread = (centred.square().sum(0) / seen.sum().clamp(min=1)).sqrt()
    return centred / torch.where(spread > 0, spread, 1.0)


def _leading(columns_DC: Tensor) -> Tensor:
    """The first singular direction, as long as its singular value; its sign is that of the first column's share."""
    if columns_DC.shape[1] == 1:
        return columns_DC[:, 0]
    found = torch.linalg.svd(columns_DC, full_matrices=False)
    direction_D: Tensor = found.U[:, 0] * found.S[0]
    return direction_D
