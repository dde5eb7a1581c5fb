"""SVD task reweighting: tasks whose labels point where the others' do weigh more.

Wu, Zhang and Ré, 2020, https://arxiv.org/abs/2005.00944, algorithm 2 (METHODS.md section 5).

Legend: N rows, T tasks, D inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mtnas.errors import TrainingError
from mtnas.tasks import Task, TaskKind
from mtnas.training.rows import ResidentData
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
    data: ResidentData, tasks: Sequence[Task], parts: Sequence[str], settings: SvdReweighting, *, seed: int = 0
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
    data: ResidentData, tasks: Sequence[Task], parts: Sequence[str], *, rows: int | None = None, seed: int = 0
) -> Tensor:
    """``theta_t = X^T y_t / n_t``, ``[D, T]`` in float64, in passes of a few thousand rows.

    X holds the numeric inputs and one column per category (bags left out), standardised; labels are standardised
    too, so that no unit decides. A multiclass task has a column per class; its direction is the leading one of those
    (the first singular vector times its value), which for two classes is the binary one.

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
    vocabularies = [int(data.categorical[:, c].max()) + 1 for c in range(data.categorical.shape[1])]
    numeric = data.numeric[chosen].double()
    mean, spread = numeric.mean(0), numeric.std(0, correction=0)
    products = [torch.zeros(numeric.shape[1], wide.shape[1], dtype=torch.float64, device=wide.device)]
    products += [torch.zeros(size, wide.shape[1], dtype=torch.float64, device=wide.device) for size in vocabularies]
    for begin in range(0, len(chosen), _ROWS_AT_ONCE):
        part = slice(begin, begin + _ROWS_AT_ONCE)
        standard = torch.where(spread > 0, (numeric[part] - mean) / spread.clamp(min=1e-12), 0.0)
        products[0] += standard.T @ wide[part]
        categories = data.categorical[chosen[part]].long()
        for c in range(len(vocabularies)):
            products[1 + c].index_add_(0, categories[:, c], wide[part])
    for c, size in enumerate(vocabularies):
        share = torch.bincount(data.categorical[chosen, c].long(), minlength=size).double() / len(chosen)
        spread_of = (share * (1 - share)).sqrt()
        centred = products[1 + c] - share[:, None] * wide.sum(0)
        products[1 + c] = torch.where(spread_of[:, None] > 0, centred / spread_of.clamp(min=1e-12)[:, None], 0.0)
    theta = torch.cat(products)
    columns = torch.split(theta, [label.shape[1] for label in labels], dim=1)
    counts = [(~data.labels[chosen, t].isnan()).sum().clamp(min=1) for t in range(len(tasks))]
    return torch.stack([_leading(part) / n for part, n in zip(columns, counts, strict=True)], dim=1)


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
