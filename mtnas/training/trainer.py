"""Training a pack: K candidates of one graph, every one with its own weights, in the same steps.

Legend: K pack, P elements of one candidate, T tasks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from mtnas.routes import InputShape, Route, RouteGraph
from mtnas.supernets import Selection, Supernet, start_from
from mtnas.tasks import Task
from mtnas.training.feeding.rows import Batch, TrainingData
from mtnas.training.feeding.task_batches import training_batches
from mtnas.training.measuring.evaluate import PackMetrics, evaluate, label_scales, predict, score
from mtnas.training.pack_state import STEP
from mtnas.training.recipe import Recipe
from mtnas.training.step.alignment_stages import AlignmentStages
from mtnas.training.step.average import WeightAverage
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.large_tables import LargeTables
from mtnas.training.step.noise import Noise
from mtnas.training.step.objective import Objective
from mtnas.training.step.optimiser import PackAdamW
from mtnas.training.step.orthogonal import is_hidden_matrix
from mtnas.training.step.schedule import lr_factor
from mtnas.training.trained_network import Trained
from mtnas.trials import Settings

AVERAGE, BEST_STEPS = "average", "best_steps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look at ``valid`` during training.

    Attributes:
        step: steps taken so far.
        total_steps: steps of the whole run.
        scores: ``[K]`` the figure that checkpoints are chosen by, on the CPU.
    """

    step: int
    total_steps: int
    scores: Tensor


class PackTrainer:
    """Trains K candidates and keeps each one's best weights by its score on ``valid``."""

    def __init__(
        self,
        *,
        graph: RouteGraph,
        inputs: InputShape,
        routes: Sequence[Route],
        settings: Sequence[Settings],
        tasks: Sequence[Task],
        data: TrainingData,
        recipe: Recipe,
        parts: Sequence[str],
        valid: str = "valid",
        trained: Trained | None = None,
    ) -> None:
        """Build the pack.

        Args:
            graph: holds all the routes; the pack computes all of it, so give the routes' shape graph.
            inputs: shape of the data's features.
            routes: one per candidate.
            settings: one per candidate.
            tasks: in the order of the graph's towers.
            data: where batches come from, and the device.
            recipe: what the candidates have in common.
            parts: rows to train on.
            valid: rows to choose checkpoints on.
            trained: the network whose weights every candidate starts from, where they have nodes of it.
        """
        self.tasks, self.data, self.recipe, self.valid = tuple(tasks), data, recipe, valid
        dtype = torch.float64 if recipe.precision == "float64" else torch.float32
        seeds = [s.seed for s in settings]
        aligned = recipe.alignment is not None
        self.net = Supernet(
            graph,
            inputs,
            seeds,
            device=data.device,
            dtype=dtype,
            aligned=aligned,
            own_rows=recipe.own_rows,
            rates={task.name: task.rates for task in tasks},
        )
        if trained is not None:
            start_from(self.net, trained.network(inputs, device=data.device))
        gate = [s.gate for s in settings]
        self.selection = Selection.from_routes(graph, [[r] for r in routes], device=data.device, dtype=dtype, gate=gate)
        self._stream = training_batches(
            data,
            own_rows=recipe.own_rows,
            parts=parts,
            batch_size=recipe.batch_size,
            data_seeds=[s.data_seed for s in settings],
        )
        copies = len(self.tasks) if recipe.own_rows else 1
        self._large = LargeTables(self.net, num_rows=self._stream.batch_size * copies, bag_lengths=data.bag_lengths)
        self._objective = Objective(
            net=self.net,
            tasks=tasks,
            data=data,
            recipe=recipe,
            settings=settings,
            parts=parts,
            steps_per_epoch=self._stream.num_batches,
            routes=routes,
            large_tables=self._large,
        )
        self._flat = (
            FlatParameters(self._objective.module, is_matrix=is_hidden_matrix)
            if recipe.optimiser == "muon"
            else FlatParameters(self._objective.module)
        )
        self._stages = (
            None
            if recipe.alignment is None
            else AlignmentStages(self._flat, recipe.alignment, total_steps=self.total_steps)
        )
        self._optimiser = PackAdamW(
            self._flat,
            lr=[s.lr for s in settings],
            weight_decay=[s.weight_decay for s in settings],
            max_norm=None if recipe.clip_norm is None else [recipe.clip_norm] * len(settings),
        )
        self._average = None if recipe.average is None else WeightAverage(self._flat, recipe.average)
        self._noise = Noise(seeds=seeds, dropout=[s.dropout for s in settings], device=data.device)
        self._scales = label_scales(data, tasks, parts)
        self._step = 0
        self._best_scores = torch.full((len(routes),), -torch.inf, dtype=torch.float64, device=data.device)
        self._best_steps = torch.zeros(len(routes), dtype=torch.int64, device=data.device)
        self._best_weights = self._flat.weights.clone()
        self._best_metrics: PackMetrics | None = {}  # on ``valid``; None once a state was loaded, which has none
        self.step_seconds = 0.0

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.recipe.epochs * self._stream.num_batches

    @property
    def look_every(self) -> int:
        """Steps between looks; the last look stands at the end."""
        return self.recipe.evaluate_every or self._stream.num_batches

    @property
    def best_steps(self) -> list[int]:
        """Steps after which every candidate had its best score so far; 0 for one that never had any."""
        found: list[int] = self._best_steps.tolist()
        return found

    def run(self, *, until: int | None = None) -> Iterator[Look]:
        """Train from wherever the state is; at the very end the net holds every candidate's best weights.

        Args:
            until: the step of a rung, at which to stop for the time being: a later run goes on from there, or from
                the state, as if there had been no stop. ``None`` trains to the end.
        """
        end = self.total_steps if until is None else min(until, self.total_steps)
        every = self.look_every
        began = time.monotonic()
        while self._step < end:
            epoch, first = divmod(self._step, self._stream.num_batches)
            for batch in self._stream.epoch(epoch, first_step=first):
                self._train_step(batch)
                self._step += 1
                if self._step % every == 0 or self._step == self.total_steps:
                    self.step_seconds += time.monotonic() - began
                    yield self._look()
                    began = time.monotonic()
                if self._step == end:
                    break
        if end == self.total_steps:
            with torch.no_grad():
                self._flat.weights.copy_(self._best())
            self._large.take_best(self._scored())

    @contextmanager
    def holding_best(self) -> Iterator[None]:
        """Let the net hold every candidate's best weights so far, and afterwards what it held before.

        A candidate that never had a score (it diverged before the first look) holds its last weights, which show it.
        """
        current = self._flat.weights.clone()
        with torch.no_grad():
            self._flat.weights.copy_(self._best())
        self._large.swap_best(self._scored())
        try:
            yield
        finally:
            self._large.swap_best(self._scored())
            with torch.no_grad():
                self._flat.weights.copy_(current)

    def evaluate(self, part: str) -> PackMetrics:
        """Metrics on one part with the weights the net holds now."""
        return evaluate(self.net, self.selection, self.data, self.tasks, (part,))

    def best_metrics(self, parts: Sequence[str]) -> dict[str, PackMetrics]:
        """By part, metrics of every candidate's best weights so far; those on ``valid`` the looks have seen already."""
        seen = {self.valid: self._best_metrics} if self._best_metrics else {}
        with self.holding_best():
            return {part: seen[part] if part in seen else self.evaluate(part) for part in parts}

    def best_outputs(self, parts: Sequence[str]) -> dict[str, Tensor]:
        """By part, float32 outputs ``[K, N, all outputs]`` of every candidate's best weights so far, on the CPU."""
        with self.holding_best():
            return {
                part: torch.cat(predict(self.net, self.selection, self.data, (part,)), dim=2).float().cpu()
                for part in parts
            }

    def state(self) -> dict[str, Tensor]:
        """All that a later run needs to go on exactly from here; ``pack_state`` cuts it and puts several together."""
        return (
            self._optimiser.state_dict()
            | self._large.state()
            | self._objective.state()
            | ({} if self._average is None else {AVERAGE: self._average.values.clone()})
            | {
                STEP: torch.tensor(self._step),
                "best_scores": self._best_scores.clone(),
                BEST_STEPS: self._best_steps.clone(),
                "best_weights": self._best_weights.clone(),
            }
        )

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of the same pack."""
        own = (
            {STEP, AVERAGE, BEST_STEPS, "best_scores", "best_weights"}
            | self._large.names()
            | self._objective.state().keys()
        )
        self._optimiser.load_state_dict({name: tensor for name, tensor in state.items() if name not in own})
        self._large.load_state(state)
        self._objective.load_state(state)
        if self._average is not None:
            self._average.values.copy_(state[AVERAGE])
        self._step = int(state[STEP])
        self._best_scores.copy_(state["best_scores"])
        self._best_steps.copy_(state[BEST_STEPS])
        self._best_weights.copy_(state["best_weights"])
        self._best_metrics = None

    def _train_step(self, batch: Batch) -> None:
        self._noise.at_step(self._step)
        reading = self._large.read(batch, self._optimiser)
        losses_KT, penalty = self._objective.measure(batch, self.selection, self._noise, reading.large)
        present = self._objective.present(batch)
        self._objective.backward(self._flat, losses_KT, step=self._step, present=present, penalty=penalty)
        factor = lr_factor(self.recipe.schedule, step=self._step, total_steps=self.total_steps)
        with nullcontext() if self._stages is None else self._stages.holding(self._step):
            self._optimiser.step(factor)
        if self._average is not None:
            self._average.update(self._step)
        self._large.write(reading, self._optimiser)
        self._objective.after_step(batch, self.selection, self._noise, step=self._step)

    def _look(self) -> Look:
        with nullcontext(self._flat.weights) if self._average is None else self._average.held() as weights:
            found = evaluate(self.net, self.selection, self.data, self.tasks, (self.valid,))
        scores = score(self.tasks, found, self._scales)
        better = scores > self._best_scores
        self._best_scores = torch.where(better, scores, self._best_scores)
        self._best_weights = torch.where(better[:, None], weights, self._best_weights)
        self._best_steps.masked_fill_(better, self._step)
        self._large.keep_best(better)
        if self._best_metrics is not None:
            new, old = better | (self._best_scores == -torch.inf), self._best_metrics or found
            self._best_metrics = {
                task: {name: torch.where(new, value, old[task][name]) for name, value in of_task.items()}
                for task, of_task in found.items()
            }
        return Look(step=self._step, total_steps=self.total_steps, scores=scores.cpu())

    def _best(self) -> Tensor:
        """``[K, P]``."""
        return torch.where(self._scored()[:, None], self._best_weights, self._flat.weights)

    def _scored(self) -> Tensor:
        """Bool ``[K]``: who had a score at some look."""
        return self._best_scores != -torch.inf
