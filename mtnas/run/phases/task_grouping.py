"""Baselines that split the tasks: all partitions of few tasks, and those that affinities suggest.

Task grouping is the rival of a search for routes: one bottom per group, nothing shared across groups. ``partitions``
are all of them, for at most ``MOST_TASKS`` tasks. ``task_groups`` are the best one of each number of groups by
Grad-TAG's estimates from one network that is trained on all tasks; affinities rank groupings, but do not say how many
groups pay, since a network of one task cannot lose by them. Either way every candidate is trained once, at the rate
that named baselines were tuned to, and the best on ``valid`` is tuned like any other baseline. All of it is trials.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import safetensors.torch
import torch

from mtnas.diagnostics.group_losses import MOST_EXHAUSTIVE, affinities, best_partition, group_losses
from mtnas.errors import SearchError, SpecError
from mtnas.routes import narrow
from mtnas.routes.schemes.by_name import NamedRoute, Size, matched_partition
from mtnas.run.context import Context
from mtnas.run.judging.figures import judged
from mtnas.run.packs.planned import plan
from mtnas.run.packs.train_planned import train
from mtnas.search.known_schemes import MOST_TASKS, partition_name, partitions
from mtnas.supernets import Selection, Supernet
from mtnas.training.feeding.rows import ResidentData, TrainingData
from mtnas.training.feeding.streamed import StreamedData
from mtnas.training.searches.route_prior import groups_by_affinity
from mtnas.trials import Candidate, Settings, Trial, TrialState

PARTITIONS, TASK_GROUPS = "partitions", "task_groups"
Groups = tuple[int, ...]

_MOST_GROUPS = 6
_BATCHED_ROWS = 2048  # of ``train`` and of ``search``, for the estimates


class Grouping(NamedTuple):
    """The partition that was chosen, and how many trials it took."""

    groups: Groups
    num_trials: int


def chosen_grouping(context: Context, name: str, told: Settings, *, first: int, num_params: int) -> Grouping:
    """The partition that a baseline of this name stands for, by one training of every candidate.

    Args:
        context: the job.
        name: ``partitions`` or ``task_groups``.
        told: what candidates are trained with.
        first: number of the first trial.
        num_params: the size of every candidate.

    Raises:
        SpecError: all partitions of too many tasks, or of tasks over images.
        SearchError: no candidate could be trained.
    """
    num_tasks, graph_size = len(context.tasks), context.size
    if not isinstance(graph_size, Size):
        raise SpecError(expected="inputs that are no images", found="images", where=f"baseline {name!r}")
    if name == PARTITIONS:
        if num_tasks > MOST_TASKS:
            raise SpecError(
                expected=f"at most {MOST_TASKS} tasks, or baseline {TASK_GROUPS!r}",
                found=str(num_tasks),
                where=f"baseline {PARTITIONS!r}",
            )
        candidates = list(partitions(num_tasks))
    else:
        together = (0,) * num_tasks
        (base,) = _trained(context, name, [together], told, first=first, num_params=num_params, keep=True)
        first += 1
        candidates = [together, *_suggested(context, base, num_params)]
    trials = _trained(context, name, candidates, told, first=first, num_params=num_params)
    complete = [(t, groups) for t, groups in zip(trials, candidates, strict=True) if t.state is TrialState.COMPLETE]
    if not complete:
        raise SearchError(expected="a partition that can be trained", found="none", where=f"baseline {name!r}")
    best = max(complete, key=lambda pair: context.valid_score(pair[0]))[1]
    return Grouping(groups=best, num_trials=len(candidates) + (name == TASK_GROUPS))


def named_partition(context: Context, groups: Sequence[int], num_params: int) -> NamedRoute:
    """The partition as wide as it takes to have so many parameters."""
    assert isinstance(context.size, Size)
    return matched_partition(groups, context.towers, context.size, context.data.inputs, num_params=num_params)


def _trained(
    context: Context,
    name: str,
    candidates: Sequence[Groups],
    told: Settings,
    *,
    first: int,
    num_params: int,
    keep: bool = False,
) -> list[Trial]:
    wanted = []
    for groups in candidates:
        named = named_partition(context, groups, num_params)
        label = "base" if keep else partition_name([task.name for task in context.tasks], groups)
        wanted.append((f"{name}: {label}"[:200], named.graph, Candidate(route=named.route, settings=told)))
    return train(
        context,
        plan(first, "baselines", wanted),
        parts=("train",),
        evaluate_on=("search", "valid"),
        values=lambda evaluations: judged(context.tasks, evaluations[0].per_task),
        keep_weights=lambda _: keep,
        may_all_fail=True,
    )


def _suggested(context: Context, base: Trial, num_params: int) -> Iterator[Groups]:
    """For every number of groups from two on, the best partition by the estimates from the base network."""
    num_tasks = len(context.tasks)
    weights = context.journal.checkpoint(f"weights/{base.number}")
    if weights is None or num_tasks < 2:
        return
    named = named_partition(context, (0,) * num_tasks, num_params)
    route = base.candidate.route
    tensors = safetensors.torch.load(weights)
    net = Supernet(narrow(named.graph, route), context.data.inputs, [0], aligned=context.recipe.alignment is not None)
    net.load_state_dict(tensors)
    kind = StreamedData if context.streamed else ResidentData
    whole: TrainingData = kind.of(context.data, torch.device("cpu"))
    data = replace(whole, parts={part: rows[:_BATCHED_ROWS] for part, rows in whole.parts.items()})
    losses = group_losses(net, Selection.from_routes(net.graph, [[route]]), data, context.tasks)
    for count in range(2, min(num_tasks, _MOST_GROUPS) + 1):
        if num_tasks <= MOST_EXHAUSTIVE:
            of_count = [groups for groups in partitions(num_tasks) if max(groups) + 1 == count]
            yield best_partition(losses, of_count)
        else:
            yield groups_by_affinity(affinities(losses, num_tasks), count=count)
