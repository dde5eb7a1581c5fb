"""Shares of members over many draws of the rows that decide: what a few lucky rows say is averaged away.

On few rows greedy selection fits the rows, and is then no better than the plain mean of all members. Half of a share is
the task's own here and half that of all tasks together, whose rows are more (decision 33).

Legend: M members, N rows, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from mtnas.ensembles.greedy import GreedyRules, Score, select

MOST_DRAWS = 20
MOST_ROWS = 50_000
WORK = 1_000_000  # predictions in all draws together, about: some five seconds of one processor

Shares = Mapping[int, float]
"""By a member's place; they add up to 1, or there are none where no row can judge anybody."""


def row_draws(num_rows: int, num_figures: int, *, generator: torch.Generator) -> list[Tensor]:
    """Rows with replacement, as many as there are, up to twenty times; fewer where there is much to judge.

    One draw alone is all rows as they are, or some of them where they are more than anybody needs.

    Args:
        num_rows: N.
        num_figures: predictions of all members and tasks for one row.
        generator: draws.
    """
    if num_rows > MOST_ROWS:
        return [torch.randperm(num_rows, generator=generator)[:MOST_ROWS].sort().values]
    draws = max(1, min(MOST_DRAWS, WORK // max(1, num_rows * num_figures)))
    if draws == 1:
        return [torch.arange(num_rows)]
    return [torch.randint(num_rows, (num_rows,), generator=generator) for _ in range(draws)]


def shares_over_draws(
    predictions_MNO: Tensor,
    score_at: Callable[[Tensor], Score],
    rules: GreedyRules,
    draws: Sequence[Tensor],
    *,
    allowed: Sequence[int],
) -> dict[int, float]:
    """The mean of the shares that greedy selection gives on each draw.

    Args:
        predictions_MNO: probabilities or values, in the unit in which they are averaged.
        score_at: how good predictions for some rows are.
        rules: of the selection.
        draws: rows, each ``[N]``; those on which nobody can be judged (labels of one class) are left out.
        allowed: members that may be picked.
    """
    totals = dict.fromkeys(allowed, 0.0)
    judged = 0
    for rows in draws:
        try:
            found = select(predictions_MNO[:, rows], score_at(rows), rules, allowed=allowed)
        except ValueError:
            continue
        judged += 1
        for member, share in found.weights.items():
            totals[member] += share
    return {member: total / judged for member, total in totals.items() if total}


def half_each(own: Shares, whole: Shares) -> dict[int, float]:
    """A task's own shares and those of all tasks, half and half; the latter alone where it has none."""
    if not own:
        return dict(whole)
    members = sorted({*own, *whole})
    return {member: (own.get(member, 0.0) + whole.get(member, 0.0)) / 2 for member in members}


def trimmed(shares: Mapping[str, Shares], *, most_members: int, least: float = 0.02) -> dict[str, dict[int, float]]:
    """Shares by task without the members that say little: every member costs what a network costs.

    Args:
        shares: by task; every task hears some member that all hear, as after ``half_each``.
        most_members: different members at most.
        least: a member's share at least, on average over the tasks; the largest always stays.
    """
    means: dict[int, float] = {}
    for of_task in shares.values():
        for member, share in of_task.items():
            means[member] = means.get(member, 0.0) + share / len(shares)
    order = sorted(means, key=lambda member: (-means[member], member))
    kept = [member for place, member in enumerate(order) if place == 0 or means[member] >= least][:most_members]
    found = {}
    for task, of_task in shares.items():
        left = {member: of_task[member] for member in sorted(kept) if of_task.get(member)} or {kept[0]: 1.0}
        found[task] = {member: share / sum(left.values()) for member, share in left.items()}
    return found
