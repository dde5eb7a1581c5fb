"""The independent distributions that a policy is made of: whole mixes and blocks (``coin_choices``: coins per edge).

Legend: K pack, G route groups, J junctions or S slots of one group, C choices, N sources, E/A/Q/X flat positions of a
Layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtnas.routes import Block, GateKind, Junction, Mix, Slot
from mtnas.spaces import SearchSpace
from mtnas.supernets import Layout
from mtnas.training.searches.relaxation import Relaxation
from mtnas.training.searches.route_prior import EdgePrior
from mtnas.training.step.noise import Noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The flat tensors ``[K, G, ...]`` that a draw fills."""

    edges: Tensor
    stopped: Tensor
    gates: Tensor
    queries: Tensor
    blocks: Tensor


class Choices(Protocol):
    """Distributions over a group of like choices."""

    def draw(self, noise: Noise, num_groups: int, target: Target) -> Tensor:
        """Draw ``num_groups`` times per search; the logarithm ``[K, G]`` of the probability of what was drawn."""
        ...

    def relax(self, relaxation: Relaxation, noise: Noise | None, num_groups: int, target: Target) -> None:
        """Fill the target with choices that carry gradients."""
        ...

    def entropy(self) -> Tensor:
        """``[K]`` in nats."""
        ...

    def take_best(self, k: int, mixes: dict[str, Mix], blocks: dict[str, Block]) -> None:
        """Add the most probable choices of search k."""
        ...


class MixChoices(nn.Module):
    """One multinomial per junction over whole mixes."""

    edges_JCN: Tensor
    stopped_JCN: Tensor
    gates_JCA: Tensor
    queries_JCQ: Tensor
    edge_at: Tensor
    gate_at: Tensor
    query_at: Tensor

    def __init__(self, space: SearchSpace, junctions: Sequence[Junction], layout: Layout, K: int) -> None:
        super().__init__()
        self.junctions = tuple(junctions)
        self.choices = [list(space.mixes(junction)) for junction in junctions]
        self.logits = nn.Parameter(torch.zeros(K, len(junctions), len(self.choices[0])))
        gates = [gate for gate in junctions[0].gates if gate is not GateKind.PASS]
        of_each = list(zip(junctions, self.choices, strict=True))
        self.register_buffer("edges_JCN", table([[[s in m.inputs for s in j.sources] for m in c] for j, c in of_each]))
        self.register_buffer(
            "stopped_JCN", table([[[s in m.forward_only for s in j.sources] for m in c] for j, c in of_each])
        )
        self.register_buffer("gates_JCA", table([[[m.gate is gate for gate in gates] for m in c] for _, c in of_each]))
        self.register_buffer(
            "queries_JCQ", table([[[m.query == query for query in j.queries] for m in c] for j, c in of_each])
        )
        self.register_buffer("edge_at", places([[layout.edges[j.name, s] for s in j.sources] for j in junctions]))
        self.register_buffer("gate_at", places([[layout.gates[j.name, gate] for gate in gates] for j in junctions]))
        self.register_buffer("query_at", places([[layout.queries[j.name, q] for q in j.queries] for j in junctions]))

    def lean(self, k: int, prior: EdgePrior) -> None:
        """Add the log-odds of its edges to every mix of search k."""
        for j, (junction, choices) in enumerate(zip(self.junctions, self.choices, strict=True)):
            odds = [sum(prior.get((junction.name, source), 0.0) for source in mix.inputs) for mix in choices]
            self.logits[k, j] += self.logits.new_tensor(odds)

    def draw(self, noise: Noise, num_groups: int, target: Target) -> Tensor:
        """See ``Choices``."""
        chosen_KGJ, log_prob_KGJ = draw_one(self.logits, noise, num_groups)
        self.fill(chosen_KGJ, target)
        return log_prob_KGJ.sum(-1)

    def fill(self, chosen_KGJ: Tensor, target: Target) -> None:
        """Put choices, by their numbers, into the target."""
        each_J = torch.arange(len(self.junctions), device=chosen_KGJ.device)
        target.edges[..., self.edge_at] = self.edges_JCN[each_J, chosen_KGJ]
        target.stopped[..., self.edge_at] = self.stopped_JCN[each_J, chosen_KGJ]
        target.gates[..., self.gate_at] = self.gates_JCA[each_J, chosen_KGJ]
        target.queries[..., self.query_at] = self.queries_JCQ[each_J, chosen_KGJ]

    def relax(self, relaxation: Relaxation, noise: Noise | None, num_groups: int, target: Target) -> None:
        """See ``Choices``: every part of a mix has the weight of all mixes that have it."""
        weights_KGJC = relaxation.weights(self.logits, noise, num_groups)
        places = (self.edge_at, self.edges_JCN), (self.gate_at, self.gates_JCA), (self.query_at, self.queries_JCQ)
        for flat, (at, table) in zip((target.edges, target.gates, target.queries), places, strict=True):
            flat[..., at] = torch.einsum("kgjc,jcn->kgjn", weights_KGJC, table)
        target.stopped[..., self.edge_at] = torch.einsum("kgjc,jcn->kgjn", weights_KGJC, self.stopped_JCN).detach()

    def entropy(self) -> Tensor:
        """See ``Choices``."""
        return entropy_of(self.logits).sum(-1)

    def take_best(self, k: int, mixes: dict[str, Mix], blocks: dict[str, Block]) -> None:
        """See ``Choices``."""
        for junction, choices, best in zip(
            self.junctions, self.choices, self.logits[k].argmax(-1).tolist(), strict=True
        ):
            mixes[junction.name] = choices[best]


class BlockChoices(nn.Module):
    """One multinomial per slot over its blocks."""

    block_at: Tensor

    def __init__(self, slots: Sequence[Slot], layout: Layout, K: int) -> None:
        super().__init__()
        self.slots = tuple(slots)
        self.logits = nn.Parameter(torch.zeros(K, len(slots), len(slots[0].choices)))
        positions = [[layout.blocks[slot.name, block.text] for block in slot.choices] for slot in slots]
        self.register_buffer("block_at", places(positions))

    def draw(self, noise: Noise, num_groups: int, target: Target) -> Tensor:
        """See ``Choices``."""
        chosen_KGS, log_prob_KGS = draw_one(self.logits, noise, num_groups)
        self.fill(chosen_KGS, target)
        return log_prob_KGS.sum(-1)

    def fill(self, chosen_KGJ: Tensor, target: Target) -> None:
        """Put choices, by their numbers, into the target."""
        target.blocks[..., self.block_at] = F.one_hot(chosen_KGJ, self.logits.shape[-1]).to(target.blocks.dtype)

    def relax(self, relaxation: Relaxation, noise: Noise | None, num_groups: int, target: Target) -> None:
        """See ``Choices``."""
        target.blocks[..., self.block_at] = relaxation.weights(self.logits, noise, num_groups)

    def entropy(self) -> Tensor:
        """See ``Choices``."""
        return entropy_of(self.logits).sum(-1)

    def take_best(self, k: int, mixes: dict[str, Mix], blocks: dict[str, Block]) -> None:
        """See ``Choices``."""
        for slot, best in zip(self.slots, self.logits[k].argmax(-1).tolist(), strict=True):
            blocks[slot.name] = slot.choices[best]


def draw_one(logits_KJC: Tensor, noise: Noise, num_groups: int) -> tuple[Tensor, Tensor]:
    """Gumbel-max draws ``[K, G, J]`` and the logarithms of their probabilities ``[K, G, J]``."""
    u = noise.uniform((num_groups, *logits_KJC.shape[1:])).to(logits_KJC.dtype)
    chosen = (logits_KJC.detach().unsqueeze(1) - torch.log(-torch.log(u))).argmax(-1)
    log_p = logits_KJC.log_softmax(-1).unsqueeze(1).expand(-1, num_groups, -1, -1)
    return chosen, log_p.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)


def entropy_of(logits_KJC: Tensor) -> Tensor:
    """Entropies ``[K, J]`` of multinomials, in nats."""
    log_p = logits_KJC.log_softmax(-1)
    return -(log_p.exp() * log_p).sum(-1)


def places(positions: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
    """Flat positions, on the device from the start: a list would travel there in every step."""
    return torch.tensor(positions, dtype=torch.long)


def table(rows: Sequence[Sequence[Sequence[bool]]]) -> Tensor:
    """What every choice contains, as 0 and 1."""
    return torch.tensor(rows, dtype=torch.float32)
