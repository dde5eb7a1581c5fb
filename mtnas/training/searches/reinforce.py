"""Search by policy gradient over shared weights (REINFORCE; MTNAS, METHODS.md section 1), K searches at once.

Weights and policy alternate: weights learn on ``train`` under routes drawn from the policy; the policy learns from
rewards on ``search``. All M routes of a policy step see the same weights and the same rows, and each one's baseline is
the mean reward of the others (leave-one-out), because a moving average over falling losses rewards everything.

Legend: K pack, M routes per step, T tasks, B batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtnas.routes import Route
from mtnas.search.specs.supernet_specs import AFFINITY_BATCHES, ReinforceSearch
from mtnas.supernets import Selection
from mtnas.training.feeding.rows import Batch
from mtnas.training.searches.limit_pressure import LimitPressure
from mtnas.training.searches.policy import RoutePolicy
from mtnas.training.searches.route_prior import cosines, edge_prior, task_groups
from mtnas.training.searches.shared_supernet import Ground, RelativeLoss, SharedWeights, endless, equal_groups
from mtnas.training.searches.supernet_search import SupernetSearch
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.losses import task_losses
from mtnas.training.step.optimiser import PackAdamW


class ReinforceSearcher(SupernetSearch):
    """K searches of one space in one pack; they differ in seeds, settings and the numbers of ``searches``."""

    def __init__(self, ground: Ground, searches: Sequence[ReinforceSearch]) -> None:
        """Build supernets and policies.

        Args:
            ground: what to search on.
            searches: settings of the policies, one per search; what is no number is the first's for all.
        """
        self.search, device = searches[0], ground.data.device
        super().__init__(ground.space, SharedWeights(ground), self.search)
        self.policy = RoutePolicy(ground.space, len(searches), device, dtype=ground.dtype)
        self._flat = FlatParameters(self.policy, decays=lambda _: False)
        self._optimiser = PackAdamW(
            self._flat, lr=[s.lr for s in searches], weight_decay=[0.0] * len(searches), betas=(0.5, 0.99)
        )
        self._pressure = LimitPressure.of(self.space, device, ground.dtype)
        self._entropy_K = torch.tensor([s.entropy for s in searches], device=device, dtype=ground.dtype)
        self._prior, self._groups = [s.prior for s in searches], ground.groups
        self._held_out = self.weights.held_out(self.search.reward_rows)
        self._rewards = endless(self._held_out)
        self._relative = RelativeLoss(ground.tasks, len(searches), device, ground.dtype, aim=ground.aim)

    def sample(self, num_groups: int, *, step: int) -> Selection:
        """See ``SupernetSearch``."""
        return self.policy.sample(self.weights.noise, num_groups).selection

    def search_step(self, step: int) -> None:
        """One step of the policy, once the weights are warm."""
        if step == self._warm and any(self._prior):
            self._lean()
        if step >= self._warm and step % self.search.policy_every == 0:
            self._policy_step(next(self._rewards))

    def entropy(self) -> Tensor:
        """Of the policies."""
        return self.policy.entropy()

    def candidates(self, count: int) -> list[list[Route]]:
        """The most probable choices, then routes drawn from the policies."""
        drawn = self.policy.routes(self.policy.sample(self.weights.noise, count).selection)
        return [[best, *others] for best, others in zip(self.policy.best(), drawn, strict=True)]

    def own_state(self) -> dict[str, Tensor]:
        """See ``SupernetSearch``."""
        policy = {f"policy.{name}": tensor for name, tensor in self._optimiser.state_dict().items()}
        return policy | {"scale": self._relative.scale_KT.clone()}

    def load_own_state(self, state: Mapping[str, Tensor]) -> None:
        """See ``SupernetSearch``."""
        policy = {name.removeprefix("policy."): t for name, t in state.items() if name.startswith("policy.")}
        self._optimiser.load_state_dict(policy)
        self._relative.scale_KT.copy_(state["scale"])
        taken = sum(1 for step in range(self._warm, self._step) if step % self.search.policy_every == 0)
        self._rewards = endless(self._held_out, first=taken)

    @property
    def _warm(self) -> int:
        """The step at which the policy begins to learn."""
        return int(self.search.warmup * self.total_steps)

    def _lean(self) -> None:
        """Seed the policies with the groups that tasks form: those that are known, or what their gradients say."""
        graph, num_searches = self.space.graph, self.num_networks
        groups = self._affine_groups() if self._groups is None else [self._groups] * num_searches
        of_each = zip(groups, self._prior, strict=True)
        self.policy.lean([edge_prior(graph, found, strength=strength) for found, strength in of_each])

    def _affine_groups(self) -> list[tuple[int, ...]]:
        """By the affinity that task gradients have under routes drawn at random."""
        gram_KTT: Tensor | None = None
        for index, batch in enumerate(self._held_out.epoch(0)):
            if index == AFFINITY_BATCHES:
                break
            with torch.no_grad():
                num_groups = equal_groups(batch.num_rows, self.search.routes_per_step)
                selection = self.weights.told(self.sample(num_groups, step=self._step))
            objective = self.weights.objective
            found = objective.gram(self.weights.flat, objective.losses(batch, selection, None))
            self.weights.charge(batch, backward=len(self.tasks))
            gram_KTT = found if gram_KTT is None else gram_KTT + found
        assert gram_KTT is not None
        graph = self.space.graph
        most = max(1, min(sum(slot.layer == layer for slot in graph.slots) for layer in range(1, graph.num_layers + 1)))
        return [task_groups(affinity, most=most) for affinity in cosines(gram_KTT).tolist()]

    def _policy_step(self, batch: Batch) -> None:
        num_routes = self.search.routes_per_step
        sample = self.policy.sample(self.weights.noise, num_routes)
        with torch.no_grad():
            rewards_KM = -self._relative(self._losses(batch, self.weights.told(sample.selection), num_routes))
        gained_K = (sample.log_prob * leave_one_out(rewards_KM)).mean(1)
        loss_K = -(gained_K + self._entropy_K * self.policy.entropy())
        if self._pressure is not None:
            loss_K = loss_K + self._pressure(self.policy.expected())
        self._flat.backward(loss_K.sum())
        self._optimiser.step()

    def _losses(self, batch: Batch, selection: Selection, num_routes: int) -> Tensor:
        """``[K, M, T]`` of the same rows under every route."""
        outputs = self.net(batch, selection, copies=num_routes)
        self.weights.charge(batch, copies=num_routes)
        K, B = outputs[0].shape[0], batch.num_rows
        split = [out.reshape(K * num_routes, B, out.shape[-1]) for out in outputs]
        labels, weights = batch.for_candidates(batch.labels), batch.weights
        weights = None if weights is None else batch.for_candidates(weights)
        if labels.shape[0] > 1:
            labels = labels.repeat_interleave(num_routes, 0)
            weights = None if weights is None else weights.repeat_interleave(num_routes, 0)
        return task_losses(split, labels, self.tasks, weights).view(K, num_routes, -1)


def leave_one_out(rewards_KM: Tensor) -> Tensor:
    """Every route's advantage ``[K, M]`` over the mean reward of the others; a search's advantages sum to zero.

    Kool et al., 2019, "Buy 4 REINFORCE Samples, Get a Baseline for Free!", https://openreview.net/forum?id=r1lgTGL5DE.
    """
    others_KM = (rewards_KM.sum(1, keepdim=True) - rewards_KM) / (rewards_KM.shape[1] - 1)
    return rewards_KM - others_KM
