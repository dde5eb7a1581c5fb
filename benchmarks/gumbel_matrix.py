"""Gumbel-Matrix as published: weights and the matrix of tasks and components learned together, a task at a time.

Maziarz et al., 2019, "Flexible Multi-task Networks by Learning Parameter Allocation",
https://arxiv.org/abs/1910.04915, sections 3 and 5.2; METHODS.md section 3. A round updates once on every task, in
random order; the routing of an update is one sample for the whole batch. Seeds train side by side in a pack.

Departures: initial weights are uniform in +-sqrt(6 / fan-in) instead of Glorot's; padding is symmetric under strides.

Legend: K seeds, T tasks, L layers, C components of a layer, B rows of a batch, S data orders (K), N rows of a part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtnas.routes import InputShape, RouteGraph, Tower
from mtnas.routes.schemes.by_name import IMAGE_ROUTES, ImageSize
from mtnas.supernets import Selection, Supernet
from mtnas.supernets.banks.towers import TowerGroup
from mtnas.training.feeding.rows import Batch, ResidentData
from mtnas.training.feeding.task_batches import rows_of_tasks, task_row_order
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.optimiser import PackAdamW

STRIDED = (0, 1, 3, 4, 6)
EVALUATION_ROWS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One experiment; the defaults are the published ones.

    Attributes:
        alphabets: tasks, in the papers' order.
        size: rows and columns of a drawing.
        layers: routed layers of seven components.
        channels: filters of every convolution.
        rounds: updates of every task.
        batch: rows of an update.
        lr: of the weights (Adam).
        router_lr: of the logits (an Adam of their own).
        p0: probability at the start that a task uses a component.
        temperature: at the first update; it falls with the root of the updates.
        least_temperature: where it stays.
        budget: share of the components that a task may use before it costs.
        budget_penalty: what more costs.
        entropy_penalty: weight of the allocation's entropy at the end, growing from 0 as the share of updates done to
            the power of ``entropy_power``.
        l2: half the weight of the squared norm of everything but biases and normalisations.
        dropout: of what the heads read.
        evaluate_every: rounds between looks at ``valid``.
    """

    alphabets: int = 20
    size: int = 105
    layers: int = 8
    channels: int = 48
    rounds: int = 8_000
    batch: int = 16
    lr: float = 1e-4
    router_lr: float = 2e-3
    p0: float = 0.97
    temperature: float = 50.0
    least_temperature: float = 0.5
    budget: float = 1.0
    budget_penalty: float = 0.0
    entropy_penalty: float = 0.0
    entropy_power: float = 1.0
    l2: float = 3e-4
    dropout: float = 0.5
    evaluate_every: int = 250

    @property
    def image_size(self) -> ImageSize:
        """What networks are built like."""
        strides = tuple(2 if layer in STRIDED else 1 for layer in range(self.layers))
        return ImageSize(image=(1, self.size, self.size), strides=strides, width=self.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Accuracies ``[K, T]`` of one moment, on ``valid`` and ``test``."""

    round: int
    valid: Tensor
    test: Tensor


class Allocation(nn.Module):
    """Logits ``[K, T, L * C, 2]`` of using and of not using each component."""

    def __init__(self, num_seeds: int, num_tasks: int, num_components: int, p0: float) -> None:
        super().__init__()
        start = torch.tensor([p0, 1 - p0]).log()
        self.logits = nn.Parameter(start.expand(num_seeds, num_tasks, num_components, 2).clone())

    def sample(self, task: int, uniform: Tensor, temperature: float) -> Tensor:
        """Which components a batch of the task uses, ``[K, L * C]`` of 0 and 1; gradients as if it were soft.

        Args:
            task: whose batch it is.
            uniform: numbers in (0, 1), ``[K, L * C, 2]``.
            temperature: of the softmax that gradients see.
        """
        noisy = self.logits[:, task] - torch.log(-torch.log(uniform))
        soft = (noisy / temperature).softmax(-1)[..., 0]
        hard = (noisy[..., 0] >= noisy[..., 1]).to(soft.dtype)
        sample: Tensor = hard + (soft - soft.detach())
        return sample

    def best(self) -> Tensor:
        """What evaluation uses, without noise: ``[K, T, L * C]``, components of probability at least one half."""
        used: Tensor = (self.logits[..., 0] >= self.logits[..., 1]).to(self.logits.dtype)
        return used

    @property
    def chances(self) -> Tensor:
        """Probabilities ``[K, T, L * C]`` of use."""
        return self.logits.softmax(-1)[..., 0]

    def penalty(self, task: int, setting: Setting, share_done: float) -> Tensor:
        """Budget and entropy terms of a task, summed over seeds."""
        p = self.chances[:, task]
        over = (p.mean(-1) - setting.budget).clamp(min=0)
        entropy = -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).sum(-1)
        grown = setting.entropy_penalty * share_done**setting.entropy_power
        return (setting.budget_penalty * over + grown * entropy).sum()


class SharedNetwork:
    """One chain of levels for all tasks, with or without an allocation."""

    def __init__(
        self, setting: Setting, towers: Sequence[Tower], seeds: Sequence[int], device: str, *, learned: bool
    ) -> None:
        self.setting, self.tasks = setting, tuple(tower.task for tower in towers)
        named = IMAGE_ROUTES["full_sharing"](towers, setting.image_size)
        self.net = Supernet(named.graph, InputShape(num_numeric=setting.size**2), seeds, device=device)
        self.selection = Selection.from_routes(named.graph, [[named.route]] * len(seeds), device=device)
        self.edges = _routed_edges(named.graph, self.net)
        self.flat = FlatParameters(self.net)
        rates = len(seeds)
        self.optimiser = PackAdamW(self.flat, lr=[setting.lr] * rates, weight_decay=[0.0] * rates)
        self.allocation = Allocation(rates, len(towers), len(self.edges), setting.p0).to(device) if learned else None
        if self.allocation is not None:
            self.router_flat = FlatParameters(self.allocation, decays=lambda _: False)
            self.router_optimiser = PackAdamW(
                self.router_flat, lr=[setting.router_lr] * rates, weight_decay=[0.0] * rates
            )
        self.updates = 0

    @property
    def num_params(self) -> int:
        """Weights of the network."""
        return self.flat.num_params

    def update(self, task: int, batch: Batch, generator: torch.Generator) -> None:
        """One step on rows of one task."""
        setting, allocation = self.setting, self.allocation
        K = self.flat.num_candidates
        selection, penalty = self.selection, None
        if allocation is not None:
            uniform = torch.rand((K, len(self.edges), 2), generator=generator).clamp_(1e-20, 1 - 1e-7)
            temperature = max(setting.least_temperature, setting.temperature / math.sqrt(self.updates + 1))
            z = allocation.sample(task, uniform.to(allocation.logits.device), temperature)
            selection = self._routed(z)
            done = self.updates / (setting.rounds * len(self.tasks))
            penalty = allocation.penalty(task, setting, done)
        outputs = self._outputs(task, batch, selection, generator)
        labels = batch.for_candidates(batch.labels)[..., task].expand(K, -1)
        losses = F.cross_entropy(outputs.flatten(0, 1), labels.flatten().long(), reduction="none").view(K, -1)
        loss = losses.mean(1).sum() if penalty is None else losses.mean(1).sum() + penalty
        own, logits = self.flat.parameters, () if allocation is None else self.router_flat.parameters
        gradients = torch.autograd.grad(loss, (*own, *logits), allow_unused=True)
        self.flat.grads.copy_(self.flat.gather(gradients[: len(own)]))
        if allocation is not None:
            self.router_flat.grads.copy_(self.router_flat.gather(gradients[len(own) :]))
            self.router_optimiser.step()
        decayed = slice(self.flat.num_decayed)
        self.flat.grads[:, decayed] += setting.l2 * self.flat.weights[:, decayed]
        self.optimiser.step()
        self.updates += 1

    @torch.no_grad()
    def accuracy(self, task: int, batches: Iterator[Batch]) -> Tensor:
        """Share ``[K]`` of right answers; no noise and no dropout."""
        selection = self.selection
        if self.allocation is not None:
            selection = self._routed(self.allocation.best()[:, task])
        hits, count = torch.zeros(self.flat.num_candidates), 0
        for batch in batches:
            found = self._outputs(task, batch, selection, None).argmax(-1)
            hits += (found == batch.labels[..., task]).sum(1).cpu()
            count += batch.num_rows
        return hits / count

    def _routed(self, z_KE: Tensor) -> Selection:
        edges = self.selection.edges.clone()
        edges[:, 0, self.edges] = z_KE
        return replace(self.selection, edges=edges)

    def _outputs(self, task: int, batch: Batch, selection: Selection, generator: torch.Generator | None) -> Tensor:
        """The task's logits ``[K, B, classes]``; dropout with a generator."""
        trunk = self.net.trunk(batch, selection)
        name = self.tasks[task]
        for towers in self.net.tower_groups:
            assert isinstance(towers, TowerGroup)
            if name in towers.tasks:
                at = towers.tasks.index(name)
                x = trunk.get([towers.reads[at]])
                if generator is not None and self.setting.dropout > 0:
                    kept = torch.rand(x.shape, generator=generator).to(x.device) >= self.setting.dropout
                    x = x * kept / (1 - self.setting.dropout)
                weight, bias = (both[0][:, at : at + 1] for both in (towers.weights, towers.biases))
                logits: Tensor = (x @ weight + bias.unsqueeze(2))[:, 0]
                return logits
        raise AssertionError(name)


class SeparateNetworks:
    """A smaller network per task, together as large as a shared one."""

    def __init__(self, setting: Setting, towers: Sequence[Tower], seeds: Sequence[int], device: str, size: ImageSize):
        narrow = replace(setting, channels=size.width)
        self.networks = [SharedNetwork(narrow, [tower], seeds, device, learned=False) for tower in towers]
        self.allocation = None

    @property
    def num_params(self) -> int:
        """Weights of all networks."""
        return sum(network.num_params for network in self.networks)

    def update(self, task: int, batch: Batch, generator: torch.Generator) -> None:
        """One step of the task's own network."""
        self.networks[task].update(0, _of_task(batch, task), generator)

    def accuracy(self, task: int, batches: Iterator[Batch]) -> Tensor:
        """Share ``[K]`` of right answers."""
        return self.networks[task].accuracy(0, (_of_task(batch, task) for batch in batches))


def train(
    network: SharedNetwork | SeparateNetworks, data: ResidentData, setting: Setting, seeds: Sequence[int]
) -> Iterator[Look]:
    """Train to the end; accuracies every ``evaluate_every`` rounds and after the last."""
    generator = torch.Generator().manual_seed(seeds[0])
    rows = rows_of_tasks(data, ("train", "search"))
    seed_of = torch.arange(len(seeds), device=data.device) if len(seeds) > 1 else None
    for number in range(setting.rounds):
        for task in torch.randperm(len(rows), generator=generator).tolist():
            of_seeds = [_next_rows(rows[task], seed, task, number * setting.batch, setting.batch) for seed in seeds]
            network.update(task, data.gather(torch.stack(of_seeds), seed_of), generator)
        if (number + 1) % setting.evaluate_every == 0 or number + 1 == setting.rounds:
            valid, test = (_accuracies(network, data, part) for part in ("valid", "test"))
            yield Look(round=number + 1, valid=valid, test=test)


def at_best_valid(looks: Sequence[Look]) -> Tensor:
    """Test accuracies ``[K, T]`` of each seed at the look whose mean over tasks is best on ``valid``."""
    valid_HK = torch.stack([look.valid.mean(1) for look in looks])
    test_HKT = torch.stack([look.test for look in looks])
    return test_HKT[valid_HK.argmax(0), torch.arange(valid_HK.shape[1])]


def _accuracies(network: SharedNetwork | SeparateNetworks, data: ResidentData, part: str) -> Tensor:
    found = []
    for task, rows in enumerate(rows_of_tasks(data, (part,))):
        batches = (data.gather(some[None]) for some in torch.split(rows, EVALUATION_ROWS))
        found.append(network.accuracy(task, batches))
    return torch.stack(found, dim=1)


def _next_rows(rows: Tensor, seed: int, task: int, begin: int, count: int) -> Tensor:
    """Rows of a task in its endless order: all of them in random order, then again."""
    first, last = begin // len(rows), (begin + count - 1) // len(rows)
    orders = torch.cat([task_row_order(len(rows), seed, task, cycle) for cycle in range(first, last + 1)])
    start = begin - first * len(rows)
    return rows[orders[start : start + count].to(rows.device)]


def _of_task(batch: Batch, task: int) -> Batch:
    return replace(batch, labels=batch.labels[..., task : task + 1])


def _routed_edges(graph: RouteGraph, net: Supernet) -> list[int]:
    """Positions of the edges from components to the average of their layer, layer by layer."""
    several = [junction for junction in graph.junctions if len(junction.edges) > 1]
    return [net.layout.edges[junction.name, source] for junction in several for source in junction.sources]
