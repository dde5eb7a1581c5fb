"""What a training step goes down: the tasks' losses, small towers' beside them, weighed by a balancer.

Legend: K pack, T tasks, P elements of one candidate, B batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from mtnas.routes import Route
from mtnas.supernets import Selection, Supernet
from mtnas.supernets.inputs.encoder import TableRows
from mtnas.supernets.products import products, rounds_by_itself
from mtnas.tasks import Task
from mtnas.training.feeding.rows import Batch, TrainingData
from mtnas.training.recipe import Recipe
from mtnas.training.step.balancing import PackShape, make_balancer
from mtnas.training.step.balancing.balancer import GramBalancer, JacobianBalancer, LateLossBalancer, LossBalancer
from mtnas.training.step.balancing.fixed import Equal, Static
from mtnas.training.step.balancing.random_weights import RandomWeights
from mtnas.training.step.components import shared_mask
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.large_tables import LargeTables
from mtnas.training.step.losses import batch_losses, labelled_tasks
from mtnas.training.step.noise import Noise
from mtnas.training.step.reweighting import reweighted
from mtnas.training.step.small_towers import SmallTowers
from mtnas.trials import Settings


class TrainedTogether(nn.Module):
    """A pack with its small towers and the places for rows of its large tables, where it has them."""

    def __init__(self, net: Supernet, small_towers: SmallTowers | None, large_tables: LargeTables | None) -> None:
        super().__init__()
        self.net, self.small_towers = net, small_towers
        self.large_tables = None if large_tables is None else large_tables.places


class Objective:
    """Losses and gradients of a pack.

    Attributes:
        module: holds all that is trained; the flat buffers are made of it.
    """

    def __init__(
        self,
        *,
        net: Supernet,
        tasks: Sequence[Task],
        data: TrainingData,
        recipe: Recipe,
        settings: Sequence[Settings],
        parts: Sequence[str],
        steps_per_epoch: int,
        routes: Sequence[Route] | None = None,
        large_tables: LargeTables | None = None,
    ) -> None:
        """Prepare.

        Args:
            net: the pack.
            tasks: in the order of the graph's towers.
            data: for reweighting, and the device.
            recipe: balancer, small towers and reweighting.
            settings: one per candidate.
            parts: the training rows.
            steps_per_epoch: optimiser steps of one pass over them.
            routes: one per candidate, to tell which parameters tasks share; ``None`` (a search, whose routes change)
                takes all but the towers.
            large_tables: of the pack; ``None`` (a search) trains them like small ones.

        Raises:
            TrainingError: a balancer that needs full Jacobians, and several candidates.
        """
        self._net, self._tasks, self._recipe, self._routes = net, tuple(tasks), recipe, routes
        self._device, self._bfloat16 = data.device, recipe.precision == "bfloat16"
        dtype = next(net.parameters()).dtype
        self._seeds = tuple(s.seed for s in settings)
        self._trunk = torch.compile(net.trunk, dynamic=False) if recipe.compiled else net.trunk
        self._small, gamma = None, [self._gamma(s) for s in settings]
        if recipe.auxiliary is not None:  # whatever the candidates' gamma, so that packs of one recipe are alike
            self._small = SmallTowers(net, recipe.auxiliary, self._seeds)
        self.module: nn.Module = net
        if self._small is not None or large_tables is not None:
            self.module = TrainedTogether(net, self._small, large_tables)
        self._gamma_K1 = torch.tensor(gamma, device=data.device, dtype=dtype)[:, None]
        factors = [[task.weight * s.task_weights.get(task.name, 1.0) for task in tasks] for s in settings]
        self._weights_KT = torch.tensor(factors, device=data.device, dtype=dtype)
        if recipe.reweighting is not None:
            self._weights_KT *= reweighted(data, tasks, parts, recipe.reweighting).to(dtype)
        shape = PackShape(
            tasks=self._tasks, seeds=self._seeds, steps_per_epoch=steps_per_epoch, device=data.device, dtype=dtype
        )
        self._balancer = make_balancer(recipe.balancer, shape)
        self._shared_KP: Tensor | None = None

    def losses(self, batch: Batch, selection: Selection, noise: Noise | None) -> Tensor:
        """Every task's loss ``[K, T]``, small towers included, before any weight."""
        return self.measure(batch, selection, noise)[0]

    def measure(
        self,
        batch: Batch,
        selection: Selection,
        noise: Noise | None,
        large: Sequence[TableRows | None] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Losses as above, and what the gates add to them: a scalar summed over candidates, None without such gates.

        ``large``: what stands in for each encoder's large tables (``LargeTables.read``).
        """
        casts = self._bfloat16 and not rounds_by_itself(self._device)
        with self._products(), torch.autocast(self._device.type, torch.bfloat16, enabled=casts):
            trunk = self._trunk(batch, selection, noise, large)
            outputs = self._net.read_out(trunk)
            small = None if self._small is None else self._small(self._net, trunk)
        losses_KT = batch_losses(outputs, batch, self._tasks)
        if small is not None:
            losses_KT = losses_KT + self._gamma_K1 * batch_losses(small, batch, self._tasks)
        return losses_KT, trunk.penalty(selection)

    def backward(
        self,
        flat: FlatParameters,
        losses_KT: Tensor,
        *,
        step: int,
        present: Tensor | None = None,
        penalty: Tensor | None = None,
    ) -> None:
        """Put the direction of step ``step`` into ``flat.grads``.

        Args:
            flat: of ``module``.
            losses_KT: from :meth:`losses`, with their graph.
            step: counted from 0 over the whole run.
            present: from :meth:`present`; the balancer leaves tasks out that are not. ``None`` means all.
            penalty: a scalar to add to the weighed losses, such as a gate's, summed over candidates.
        """
        balancer = self._balancer
        present_KT = None if present is None else present.expand_as(losses_KT)
        if isinstance(balancer, LossBalancer):
            weights_KT = self._weights_KT * balancer.weights(losses_KT.detach(), step, present_KT)
            total = (losses_KT * weights_KT).sum()
            with self._products():
                flat.backward(total if penalty is None else total + penalty)
            return
        gradients_KTP = self._task_gradients(flat, losses_KT * self._weights_KT, keep_graph=penalty is not None)
        shared_KP = self._shared(flat)
        combined_KP = self._combined(balancer, gradients_KTP, shared_KP, losses_KT.detach(), step, present_KT)
        torch.where(shared_KP, combined_KP, gradients_KTP.sum(dim=1), out=flat.grads)
        if penalty is not None:
            flat.grads += flat.gather(torch.autograd.grad(penalty, flat.parameters, allow_unused=True))

    def present(self, batch: Batch) -> Tensor | None:
        """Which tasks the batch has labels of, bool ``[1, T]`` or ``[K, T]``; ``None`` if the balancer never asks."""
        return None if isinstance(self._balancer, Equal | Static | RandomWeights) else labelled_tasks(batch)

    def gram(self, flat: FlatParameters, losses_KT: Tensor) -> Tensor:
        """Inner products ``[K, T, T]`` of the task gradients on the shared parameters."""
        kept_KTP = self._task_gradients(flat, losses_KT, keep_graph=False) * self._shared(flat).unsqueeze(1)
        return kept_KTP @ kept_KTP.transpose(1, 2)

    def after_step(self, batch: Batch, selection: Selection, noise: Noise, *, step: int) -> None:
        """Show the balancer what the step did to the losses, if it wants to know."""
        if isinstance(self._balancer, LateLossBalancer):
            noise.at_step(step)
            with torch.no_grad():
                losses_KT = self.losses(batch, selection, noise)
                self._balancer.after(losses_KT, labelled_tasks(batch).expand_as(losses_KT))

    def state(self) -> dict[str, Tensor]:
        """The balancer's state; weights are the optimiser's affair."""
        return {f"balancer.{name}": tensor for name, tensor in self._balancer.state().items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of the same pack; other entries are left alone."""
        own = {n.removeprefix("balancer."): tensor for n, tensor in state.items() if n.startswith("balancer.")}
        self._balancer.load_state(own)

    def _products(self) -> AbstractContextManager[None]:
        return products(self._weights_KT.dtype, self._device, rounded=self._bfloat16)

    def _gamma(self, settings: Settings) -> float:
        if self._recipe.auxiliary is None:
            return 0.0
        return self._recipe.auxiliary.gamma if settings.gamma is None else settings.gamma

    def _shared(self, flat: FlatParameters) -> Tensor:
        if self._shared_KP is None:
            self._shared_KP = shared_mask(self._net, flat, self._routes)
        return self._shared_KP

    def _task_gradients(self, flat: FlatParameters, weighed_KT: Tensor, *, keep_graph: bool) -> Tensor:
        """``[K, T, P]``: T backward passes, each for all candidates."""
        last = weighed_KT.shape[1] if keep_graph else weighed_KT.shape[1] - 1
        with self._products():
            gradients = [
                flat.gather(torch.autograd.grad(loss.sum(), flat.parameters, retain_graph=t < last, allow_unused=True))
                for t, loss in enumerate(weighed_KT.unbind(1))
            ]
        return torch.stack(gradients, dim=1)

    def _combined(
        self,
        balancer: GramBalancer | JacobianBalancer,
        gradients_KTP: Tensor,
        shared_KP: Tensor,
        losses_KT: Tensor,
        step: int,
        present_KT: Tensor | None,
    ) -> Tensor:
        """The direction ``[K, P]``, right on the shared elements."""
        kept_KTP = gradients_KTP * shared_KP.unsqueeze(1)
        if isinstance(balancer, JacobianBalancer):
            return balancer.combine(kept_KTP[0], step).nan_to_num(0.0)[None]
        gram_KTT = kept_KTP @ kept_KTP.transpose(1, 2)
        finite_K11 = gram_KTT.isfinite().all(dim=2).all(dim=1)[:, None, None]
        gram_KTT = torch.where(finite_K11, gram_KTT, torch.eye(gram_KTT.shape[1], device=gram_KTT.device))
        weights_KT = balancer.weights(gram_KTT.to(torch.float64), losses_KT, step, present_KT)
        return (weights_KT.to(kept_KTP.dtype).unsqueeze(1) @ kept_KTP).squeeze(1)
