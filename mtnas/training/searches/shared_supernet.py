"""The weights that all routes of a search share: K supernets, trained under whatever selection a search names.

Legend: K pack, T tasks, B batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from mtnas.routes import InputShape, Route, RouteGraph
from mtnas.search.budgets.passes import Passes, learning, looking
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection, Supernet
from mtnas.supernets.selection import settings_of
from mtnas.tasks import Task
from mtnas.training.feeding.batches import BatchStream
from mtnas.training.feeding.rows import Batch, TrainingData
from mtnas.training.feeding.task_batches import TaskBatchStream, own_labels_of, training_batches
from mtnas.training.measuring.evaluate import PackMetrics, evaluate
from mtnas.training.recipe import Recipe
from mtnas.training.searches.aim import Aim
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.noise import Noise
from mtnas.training.step.objective import Objective
from mtnas.training.step.optimiser import PackAdamW
from mtnas.training.step.schedule import lr_factor
from mtnas.trials import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a pack of searches works on.

    Attributes:
        space: where to search.
        inputs: shape of the data's features.
        settings: one per search: seeds, learning rate of the weights, dropout.
        tasks: in the order of the space's towers.
        data: with parts ``train`` and ``search``.
        recipe: batch size, epochs and schedule of the weights.
        most_steps: weight steps at most, where the recipe's epochs have more; the schedule shrinks with them.
        aim: what routes that are tried whole are judged by; ``None`` for the mean over tasks of the judged metric.
        groups: each task's group, by number, for searches that lean on it; ``None`` for what they see themselves.
    """

    space: SearchSpace
    inputs: InputShape
    settings: Sequence[Settings]
    tasks: Sequence[Task]
    data: TrainingData
    recipe: Recipe
    most_steps: int | None = None
    aim: Aim | None = None
    groups: tuple[int, ...] | None = None

    @property
    def dtype(self) -> torch.dtype:
        """Type of weights and architecture parameters: float64 is for proofs."""
        return torch.float64 if self.recipe.precision == "float64" else torch.float32


class SharedWeights:
    """K supernets of one graph on the rows of ``train``; they differ in seeds and settings.

    Attributes:
        net: the supernets.
        objective: what a step of the weights goes down.
        flat: the weights.
        noise: the draws of a step, for routes as well as for dropout.
        passes: all that went through each of the networks, which is what the search is charged; whoever passes rows
            through ``net`` says so (:meth:`charge`).
    """

    def __init__(
        self, ground: Ground, graph: RouteGraph | None = None, *, takes: Callable[[str], bool] = lambda _: True
    ) -> None:
        """Build the supernets.

        Args:
            ground: what to search on.
            graph: what routes may use, if not the space's graph.
            takes: whether a parameter is a weight, by its name; a search trains the others.
        """
        settings, recipe, data = ground.settings, ground.recipe, ground.data
        self.data, self.tasks, self.recipe, self.dtype = data, tuple(ground.tasks), recipe, ground.dtype
        self._most_steps = ground.most_steps
        self.seeds = tuple(s.seed for s in settings)
        self.data_seeds = tuple(s.data_seed for s in settings)
        self.net = Supernet(
            graph or ground.space.graph,
            ground.inputs,
            self.seeds,
            device=data.device,
            dtype=self.dtype,
            own_rows=recipe.own_rows,
            rates={task.name: task.rates for task in self.tasks},
        )
        self._stream = self._batches("train", recipe.batch_size)
        self.objective = Objective(
            net=self.net,
            tasks=self.tasks,
            data=data,
            recipe=recipe,
            settings=settings,
            parts=("train",),
            steps_per_epoch=self._stream.num_batches,
        )
        self.flat = FlatParameters(self.objective.module, takes=takes)
        self._optimiser = PackAdamW(
            self.flat,
            lr=[s.lr for s in settings],
            weight_decay=[s.weight_decay for s in settings],
            max_norm=None if recipe.clip_norm is None else [recipe.clip_norm] * len(settings),
        )
        self.noise = Noise(seeds=self.seeds, dropout=[s.dropout for s in settings], device=data.device)
        self.passes = Passes()
        self._gate = settings_of([s.gate for s in settings], device=data.device, dtype=self.dtype)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass over ``train``."""
        return self._stream.num_batches

    @property
    def step_rows(self) -> int:
        """Rows of one step: a forward and a backward pass over as many is one candidate-step."""
        return self._stream.batch_size * (len(self.tasks) if self.recipe.own_rows else 1)

    @property
    def total_steps(self) -> int:
        """Steps of the whole search."""
        steps = self.recipe.epochs * self._stream.num_batches
        return steps if self._most_steps is None else min(steps, self._most_steps)

    def batches(self, first: int) -> Iterator[tuple[int, Batch]]:
        """Steps with their rows, from a step to the end; the draws are set to each."""
        for epoch in range(first // self.steps_per_epoch, self.recipe.epochs):
            start = epoch * self.steps_per_epoch
            begin = max(first - start, 0)
            for step, batch in enumerate(self._stream.epoch(epoch, first_step=begin), start=start + begin):
                if step >= self.total_steps:
                    return
                self.noise.at_step(step)
                yield step, batch

    def told(self, selection: Selection) -> Selection:
        """The selection with the gates' settings of the searches, where it has none of its own."""
        return replace(selection, settings={**self._gate, **selection.settings}) if self._gate else selection

    def learn(self, batch: Batch, selection: Selection, *, step: int) -> None:
        """One step of the weights."""
        selection = self.told(selection)
        losses_KT, penalty = self.objective.measure(batch, selection, self.noise)
        present = self.objective.present(batch)
        self.objective.backward(self.flat, losses_KT, step=step, present=present, penalty=penalty)
        self._optimiser.step(lr_factor(self.recipe.schedule, step=step, total_steps=self.total_steps))
        self.objective.after_step(batch, selection, self.noise, step=step)
        self.charge(batch, backward=1)  # whatever the balancer passes, as in a candidate's step

    def charge(self, batch: Batch, *, backward: int = 0, copies: int = 1) -> None:
        """Count a forward pass of the batch, so many copies of it, through every network, and so many backward ones.

        That copies share what no route decides makes them cheaper than they are counted.
        """
        self.passes += learning(batch.numeric.shape[1] * copies, backward=backward)

    def held_out(self, num_rows: int) -> BatchStream | TaskBatchStream:
        """Batches of so many rows of ``search``, of all tasks together, each search in its own order."""
        return self._batches("search", max(1, num_rows // len(self.tasks)) if self.recipe.own_rows else num_rows)

    def hard(self, routes: Sequence[Sequence[Route]]) -> Selection:
        """Routes ``[K][G]`` as a pass of the supernets is told them."""
        return Selection.from_routes(self.net.graph, routes, device=self.data.device, dtype=self.dtype)

    def inherited(self, routes: Sequence[Route]) -> PackMetrics:
        """Metrics ``[K]`` on all of ``search`` of one route per search under the weights as they are."""
        selection = self.hard([[route] for route in routes])
        self.passes += looking(self._num_evaluated)
        return evaluate(self.net, self.told(selection), self.data, self.tasks, ("search",))

    def state(self) -> dict[str, Tensor]:
        """All of the weights' training that a later run needs to go on exactly from here, but for the step."""
        weights = {f"weights.{name}": tensor for name, tensor in self._optimiser.state_dict().items()}
        return weights | self.objective.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of the same search."""
        own = {name.removeprefix("weights."): tensor for name, tensor in state.items() if name.startswith("weights.")}
        self._optimiser.load_state_dict(own)
        self.objective.load_state(state)

    @cached_property
    def _num_evaluated(self) -> int:
        """Rows of an evaluation on all of ``search``."""
        if self.recipe.own_rows:
            return own_labels_of(self.data, ("search",)).numel()
        return len(self.data.rows_of(("search",)))

    def _batches(self, part: str, batch_size: int) -> BatchStream | TaskBatchStream:
        return training_batches(
            self.data,
            own_rows=self.recipe.own_rows,
            parts=(part,),
            batch_size=batch_size,
            data_seeds=self.data_seeds,
        )


class RelativeLoss:
    """Losses in units of their running mean, so that tasks of different scale count alike.

    They stand in for the job's first objective: the mean over tasks for ``mean_gain``, the worst of them for
    ``worst_gain``, one task's for a metric of that task. A loss has gradients and is defined on few rows, which metrics
    are not. Costs are no business of it.

    A task without a labelled row in a batch has loss zero, which says nothing of its scale.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        num_searches: int,
        device: torch.device,
        dtype: torch.dtype,
        *,
        aim: Aim | None = None,
    ) -> None:
        metric = "mean_gain" if aim is None else aim.objectives[0].metric
        only = [f"{task.name}.{task.judged_by}" == metric for task in tasks]
        weights = [float(own) for own in only] if any(only) else [task.weight for task in tasks]
        self._worst = metric == "worst_gain"
        self._weights_T = torch.tensor(weights, device=device, dtype=dtype)
        self.scale_KT = torch.zeros(num_searches, len(tasks), device=device, dtype=dtype)

    def __call__(self, losses_KMT: Tensor) -> Tensor:
        """``[K, M]``: the weighted mean over tasks, or the worst; the scale moves with the mean over M."""
        mean_KT = losses_KMT.detach().mean(1)
        moved_KT = torch.where(self.scale_KT > 0, self.scale_KT.lerp(mean_KT, 0.05), mean_KT)
        self.scale_KT = torch.where(mean_KT == 0, self.scale_KT, moved_KT)
        relative = losses_KMT / self.scale_KT.unsqueeze(1).clamp(min=1e-8)
        if self._worst:
            return relative.amax(-1)
        return (relative * self._weights_T).sum(-1) / self._weights_T.sum()


def endless(stream: BatchStream | TaskBatchStream, first: int = 0) -> Iterator[Batch]:
    """A stream's batches over and over, from the ``first`` on."""
    epoch, step = divmod(first, stream.num_batches)
    while True:
        yield from stream.epoch(epoch, first_step=step)
        epoch, step = epoch + 1, 0


def equal_groups(num_rows: int, wanted: int) -> int:
    """The largest number of equal groups, at most ``wanted``, that the rows can be cut into."""
    return next(groups for groups in range(wanted, 0, -1) if num_rows % groups == 0)
