"""Search by policy gradient over shared weights (REINFORCE; MTNAS, METHODS.md section 1), K searches at once.

Weights and policy alternate: weights learn on ``train`` under routes drawn from the policy; the policy learns from
rewards on ``search``. All M routes of a policy step see the same weights and the same rows, and each one's baseline is
the mean reward of the others (leave-one-out), because a moving average over falling losses rewards everything.

Legend: K pack, M routes per step, T tasks, B batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import isfinite

import numpy as np
import torch
from torch import Tensor

from mtnas.routes import InputShape, Route, canonical_route
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection, Supernet
from mtnas.tasks import Task
from mtnas.training.batches import BatchStream
from mtnas.training.evaluate import PackMetrics, evaluate, of_candidate
from mtnas.training.flat import FlatParameters
from mtnas.training.losses import task_losses
from mtnas.training.noise import Noise
from mtnas.training.objective import Objective
from mtnas.training.optimiser import PackAdamW
from mtnas.training.policy import RoutePolicy
from mtnas.training.recipe import Recipe
from mtnas.training.route_prior import cosines, edge_prior, task_groups
from mtnas.training.rows import Bag, Batch, ResidentData
from mtnas.training.schedule import lr_factor
from mtnas.training.seeds import derived_seed
from mtnas.training.task_batches import TaskBatchStream, training_batches
from mtnas.trials import Settings

_AFFINITY_BATCHES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinforce:
    """Settings of the search.

    Attributes:
        routes_per_step: M, at least 4, routes a policy step compares.
        reward_rows: rows of ``search`` a policy step measures each route on, of all tasks together.
        lr: learning rate of the policy.
        entropy: weight of the entropy bonus.
        warmup: share of the steps before the policy begins to learn.
        policy_every: weight steps per policy step.
        prior: log-odds by which the policy leans to routes that keep tasks of agreeing gradients together, added when
            it begins to learn; 0 adds none.
    """

    routes_per_step: int = 8
    reward_rows: int = 256
    lr: float = 0.02
    entropy: float = 0.001
    warmup: float = 0.3
    policy_every: int = 1
    prior: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How the search stands: steps, and the policy's entropy ``[K]`` in nats."""

    step: int
    total_steps: int
    entropy: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A route the search proposes, with its metrics under the shared (inherited) weights on ``search``."""

    route: Route
    derived: bool
    inherited: Mapping[str, Mapping[str, float]]


class ReinforceSearcher:
    """K searches of one space in one pack; they differ in seeds and settings."""

    def __init__(
        self,
        *,
        space: SearchSpace,
        inputs: InputShape,
        settings: Sequence[Settings],
        tasks: Sequence[Task],
        data: ResidentData,
        recipe: Recipe,
        search: Reinforce,
        most_steps: int | None = None,
    ) -> None:
        """Build supernets and policies.

        Args:
            space: where to search.
            inputs: shape of the data's features.
            settings: one per search: seeds, learning rate of the weights, dropout.
            tasks: in the order of the space's towers.
            data: with parts ``train`` and ``search``.
            recipe: batch size, epochs and schedule of the weights.
            search: settings of the policy.
            most_steps: weight steps at most, where the recipe's epochs have more; the schedule shrinks with them.
        """
        self.space, self.tasks, self.data, self.recipe, self.search = space, tuple(tasks), data, recipe, search
        self._most_steps = most_steps
        self._seeds = seeds = tuple(s.seed for s in settings)
        self.net = Supernet(space.graph, inputs, seeds, device=data.device, own_rows=recipe.own_rows)
        self.policy = RoutePolicy(space, len(settings), data.device)
        data_seeds = [s.data_seed for s in settings]
        own_rows, num_tasks = recipe.own_rows, len(self.tasks)
        self._train = training_batches(
            data, own_rows=own_rows, parts=("train",), batch_size=recipe.batch_size, data_seeds=data_seeds
        )
        self._objective = Objective(
            net=self.net,
            tasks=tasks,
            data=data,
            recipe=recipe,
            settings=settings,
            parts=("train",),
            steps_per_epoch=self._train.num_batches,
        )
        self._flat = FlatParameters(self._objective.module)
        self._policy_flat = FlatParameters(self.policy, decays=lambda _: False)
        self._optimiser = PackAdamW(
            self._flat, lr=[s.lr for s in settings], weight_decay=[s.weight_decay for s in settings]
        )
        self._policy_optimiser = PackAdamW(
            self._policy_flat, lr=[search.lr] * len(settings), weight_decay=[0.0] * len(settings), betas=(0.5, 0.99)
        )
        dropout = [s.dropout for s in settings]
        self._noise = Noise(seeds=seeds, dropout=dropout, device=data.device)
        reward_rows = max(1, search.reward_rows // num_tasks) if own_rows else search.reward_rows
        self._held_out = training_batches(
            data, own_rows=own_rows, parts=("search",), batch_size=reward_rows, data_seeds=data_seeds
        )
        self._rewards = _endless(self._held_out)
        self._weights_T = torch.tensor([task.weight for task in tasks], device=data.device)
        self._scale_KT = torch.zeros(len(settings), len(tasks), device=data.device)
        self._step = 0

    @property
    def total_steps(self) -> int:
        """Weight steps of the whole search."""
        steps = self.recipe.epochs * self._train.num_batches
        return steps if self._most_steps is None else min(steps, self._most_steps)

    @property
    def step(self) -> int:
        """Weight steps taken so far."""
        return self._step

    def run(self) -> Iterator[Pulse]:
        """Search to the end, from wherever the state is; a pulse every twentieth of the way."""
        every = max(1, self.total_steps // 20)
        warm = int(self.search.warmup * self.total_steps)
        while self._step < self.total_steps:
            epoch, first = divmod(self._step, self._train.num_batches)
            for batch in islice(self._train.epoch(epoch, first_step=first), self.total_steps - self._step):
                self._noise.at_step(self._step)
                self._weight_step(batch)
                if self._step == warm and self.search.prior > 0:
                    self._lean()
                if self._step >= warm and self._step % self.search.policy_every == 0:
                    self._policy_step(next(self._rewards))
                self._step += 1
                if self._step % every == 0 or self._step == self.total_steps:
                    entropy = self.policy.entropy().detach().cpu()
                    yield Pulse(step=self._step, total_steps=self.total_steps, entropy=entropy)

    def proposals(self, num_samples: int) -> list[list[Proposal]]:
        """Per search: the derived route (most probable choices) first, then distinct routes drawn from the policy.

        Metrics are those of the shared weights on the whole ``search`` part. Routes that break a constraint of the
        space are left out, the derived one included; where that leaves none, routes are drawn from the space. A search
        whose weights diverged proposes nothing.
        """
        self._noise.at_step(self.total_steps)
        with torch.no_grad():
            drawn = self.policy.routes(self.policy.sample(self._noise, max(num_samples, 1)).selection)
        ordered = [[best, *others] for best, others in zip(self.policy.best(), drawn, strict=True)]
        distinct = [
            self._distinct(routes)[: num_samples + 1] or self._from_space(seed, max(num_samples, 1))
            for routes, seed in zip(ordered, self._seeds, strict=True)
        ]
        proposals: list[list[Proposal]] = [[] for _ in distinct]
        for index in range(max(len(routes) for routes in distinct)):
            row = [routes[min(index, len(routes) - 1)] for routes in distinct]
            metrics = self._inherited([route for route, _ in row])
            for k, (route, derived) in enumerate(row):
                found = of_candidate(metrics, k)
                sound = all(isfinite(value) for of_task in found.values() for value in of_task.values())
                if index < len(distinct[k]) and sound:
                    proposals[k].append(Proposal(route=route, derived=derived, inherited=found))
        return proposals

    def state(self) -> dict[str, Tensor]:
        """All that a later run needs to go on exactly from here."""
        weights = {f"weights.{name}": tensor for name, tensor in self._optimiser.state_dict().items()}
        policy = {f"policy.{name}": tensor for name, tensor in self._policy_optimiser.state_dict().items()}
        return (
            weights
            | policy
            | self._objective.state()
            | {"scale": self._scale_KT.clone(), "step": torch.tensor(self._step)}
        )

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of the same search."""
        for prefix, optimiser in (("weights.", self._optimiser), ("policy.", self._policy_optimiser)):
            optimiser.load_state_dict({n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)})
        self._objective.load_state(state)
        self._scale_KT.copy_(state["scale"])
        self._step = int(state["step"])
        warm, every = int(self.search.warmup * self.total_steps), self.search.policy_every
        taken = sum(1 for step in range(warm, self._step) if step % every == 0)
        self._rewards = _endless(self._held_out, first=taken)

    def _weight_step(self, batch: Batch) -> None:
        with torch.no_grad():
            sample = self.policy.sample(self._noise, _divisor(batch.num_rows, self.search.routes_per_step))
        losses_KT, penalty = self._objective.measure(batch, sample.selection, self._noise)
        self._objective.backward(self._flat, losses_KT, step=self._step, penalty=penalty)
        self._optimiser.step(lr_factor(self.recipe.schedule, step=self._step, total_steps=self.total_steps))
        self._objective.after_step(batch, sample.selection, self._noise, step=self._step)

    def _lean(self) -> None:
        """Seed the policy with the affinity that task gradients have under routes drawn at random."""
        gram_KTT: Tensor | None = None
        for index, batch in enumerate(self._held_out.epoch(0)):
            if index == _AFFINITY_BATCHES:
                break
            with torch.no_grad():
                sample = self.policy.sample(self._noise, _divisor(batch.num_rows, self.search.routes_per_step))
            found = self._objective.gram(self._flat, self._objective.losses(batch, sample.selection, None))
            gram_KTT = found if gram_KTT is None else gram_KTT + found
        assert gram_KTT is not None
        graph = self.space.graph
        most = max(1, min(sum(slot.layer == layer for slot in graph.slots) for layer in range(1, graph.num_layers + 1)))
        groups = [task_groups(affinity, most=most) for affinity in cosines(gram_KTT).tolist()]
        self.policy.lean([edge_prior(graph, found, strength=self.search.prior) for found in groups])

    def _policy_step(self, batch: Batch) -> None:
        num_routes = self.search.routes_per_step
        sample = self.policy.sample(self._noise, num_routes)
        with torch.no_grad():
            rewards_KM = self._reward(batch, sample.selection, num_routes)
        loss = (
            -(sample.log_prob * leave_one_out(rewards_KM)).mean(1).sum()
            - self.search.entropy * self.policy.entropy().sum()
        )
        self._policy_flat.backward(loss)
        self._policy_optimiser.step()

    def _reward(self, batch: Batch, selection: Selection, num_routes: int) -> Tensor:
        """``[K, M]``: minus the mean over tasks of loss over its running scale."""
        outputs = self.net(_repeat(batch, num_routes), selection)
        K, B = outputs[0].shape[0], batch.num_rows
        split = [out.reshape(K * num_routes, B, out.shape[-1]) for out in outputs]
        labels = batch.for_candidates(batch.labels)
        if labels.shape[0] > 1:
            labels = labels.repeat_interleave(num_routes, 0)
        losses_KMT = task_losses(split, labels, self.tasks).view(K, num_routes, -1)
        mean_KT = losses_KMT.mean(1)
        moved_KT = torch.where(self._scale_KT > 0, self._scale_KT.lerp(mean_KT, 0.05), mean_KT)
        # A task without a labelled row in the batch has loss zero, which says nothing of its scale.
        self._scale_KT = torch.where(mean_KT == 0, self._scale_KT, moved_KT)
        relative = losses_KMT / self._scale_KT.unsqueeze(1).clamp(min=1e-8)
        return -(relative * self._weights_T).sum(-1) / self._weights_T.sum()

    def _distinct(self, routes: Sequence[Route]) -> list[tuple[Route, bool]]:
        kept: dict[str, tuple[Route, bool]] = {}
        space = replace(self.space, inputs=self.net.inputs)
        for position, route in enumerate(routes):
            canonical = canonical_route(space.graph, route)
            if space.contains(canonical) and canonical.text not in kept:
                # The weights belong to the spelling that was drawn: evaluate that one, not its canonical twin.
                kept[canonical.text] = (route, position == 0)
        return list(kept.values())

    def _from_space(self, seed: int, count: int) -> list[tuple[Route, bool]]:
        """Routes that keep to the constraints, for a policy that draws none."""
        rng, space = np.random.default_rng(derived_seed("proposals", seed)), replace(self.space, inputs=self.net.inputs)
        return [(route, False) for route, _ in self._distinct([space.sample(rng) for _ in range(count)])]

    def _inherited(self, routes: Sequence[Route]) -> PackMetrics:
        selection = Selection.from_routes(self.space.graph, [[route] for route in routes], device=self.data.device)
        return evaluate(self.net, selection, self.data, self.tasks, ("search",))


def leave_one_out(rewards_KM: Tensor) -> Tensor:
    """Every route's advantage ``[K, M]`` over the mean reward of the others; a search's advantages sum to zero.

    Kool et al., 2019, "Buy 4 REINFORCE Samples, Get a Baseline for Free!", https://openreview.net/forum?id=r1lgTGL5DE.
    """
    others_KM = (rewards_KM.sum(1, keepdim=True) - rewards_KM) / (rewards_KM.shape[1] - 1)
    return rewards_KM - others_KM


def _endless(stream: BatchStream | TaskBatchStream, first: int = 0) -> Iterator[Batch]:
    epoch, step = divmod(first, stream.num_batches)
    while True:
        yield from stream.epoch(epoch, first_step=step)
        epoch, step = epoch + 1, 0


def _repeat(batch: Batch, times: int) -> Batch:
    """The batch's rows ``times`` over, one copy per route group."""
    return Batch(
        categorical=batch.categorical.repeat(1, times, 1),
        numeric=batch.numeric.repeat(1, times, 1),
        bags=tuple(
            Bag(values=bag.values.repeat(1, times, 1), weights=bag.weights.repeat(1, times, 1)) for bag in batch.bags
        ),
        labels=batch.labels.repeat(1, times, 1),
        seed_of=batch.seed_of,
    )


def _divisor(num_rows: int, wanted: int) -> int:
    """The largest number of equal groups, at most ``wanted``, that the rows can be cut into."""
    return next(groups for groups in range(wanted, 0, -1) if num_rows % groups == 0)
