"""Sparse Sharing: every task prunes the base network for itself, and what is left is its part of the whole (Sun et al.,
AAAI 2020, https://arxiv.org/abs/1911.05034, algorithm 1).

In each round a task trains the base network alone from the same initial weights, under its mask; then the components of
least magnitude leave the mask, and the weights go back to where they began (Frankle and Carbin, ICLR 2019,
https://arxiv.org/abs/1803.03635). Tasks that need the same components keep the same ones, without having seen each
other. The route is trained jointly afterwards, as any finalist is, from other initial weights than the paper's.

Legend: K searches, T tasks (one row of the pack for each search and task), E edges, I instances of a bank.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite

import torch
from torch import Tensor

from mtnas.routes import GateKind, Mix, Route, task_path
from mtnas.search.specs.supernet_specs import SparseSharingSearch
from mtnas.supernets import Selection
from mtnas.training.searches.shared_supernet import Ground, SharedWeights
from mtnas.training.searches.supernet_search import Proposal, SupernetSearch


class SparseSharingSearcher(SupernetSearch):
    """K searches, each a base network per task; only a task's own loss reaches its network."""

    def __init__(self, ground: Ground, searches: Sequence[SparseSharingSearch]) -> None:
        """Build the base networks.

        Args:
            ground: what to search on; slots have one block each, and the epochs are those of all rounds together.
            searches: settings of the pruning; the first's for all.
        """
        self.search = searches[0]
        alone = [{task.name: float(task.name == own.name) for task in ground.tasks} for own in ground.tasks]
        base = replace(
            ground,
            settings=[replace(of_search, task_weights=only) for of_search in ground.settings for only in alone],
            recipe=replace(ground.recipe, schedule="constant"),
        )
        weights = SharedWeights(base)
        super().__init__(ground.space, weights, self.search)
        self._initial = weights.state()
        self._edges = self._prunable()
        device = ground.data.device
        self._mask = torch.ones(len(weights.seeds), len(self.net.layout.edges), device=device, dtype=ground.dtype)
        self._at = torch.tensor([place for _, _, place, _ in self._edges], dtype=torch.long, device=device)
        self._own = [_OwnEdges.of(task, self._edges, device) for task in self.space.graph.tasks]
        self._whole = weights.hard([[self._route({})]])

    def sample(self, num_groups: int, *, step: int) -> Selection:
        """The masks as they are."""
        return self._selection()

    def search_step(self, step: int) -> None:
        """At the end of a round prune, and wind the weights back to where they began."""
        ends = [
            ceil(self.total_steps * (number + 1) / (self.search.rounds + 1)) for number in range(self.search.rounds)
        ]
        if step + 1 in ends:
            kept = self.search.keep ** ((ends.index(step + 1) + 1) / self.search.rounds)
            self._prune(kept)
            self.weights.load_state(self._initial)

    @property
    def can_settle(self) -> bool:
        """Never before the last round."""
        return False

    def yardstick(self, count: int) -> list[Mapping[str, Mapping[str, float]]]:
        """Nothing: networks that were trained for one task each cannot judge other routes."""
        return []

    def entropy(self) -> Tensor:
        """Of the share of edges that are kept, times their number: how much is left to prune."""
        p = self._mask[:, self._at].mean(1).clamp(1e-6, 1 - 1e-6)
        return (-(p * p.log() + (1 - p) * (1 - p).log()) * len(self._at)).view(-1, len(self.tasks)).sum(1)

    def candidates(self, count: int) -> list[list[Route]]:
        """The tasks' masks together, one route per search."""
        found = []
        for mask_TE in self._mask.view(-1, len(self.tasks), self._mask.shape[1]).tolist():
            dropped: dict[str, list[str]] = {}
            for junction, source, place, task in self._edges:
                if not mask_TE[self.space.graph.tasks.index(task)][place]:
                    dropped.setdefault(junction, []).append(source)
            found.append([self._route(dropped)])
        return found

    def proposals(self, num_samples: int, known: Mapping[str, Route] | None = None) -> list[list[Proposal]]:
        """One route per search; its metrics are each task's in its own network.

        Known schemes are not among them: networks that were trained for one task each cannot judge them.
        """
        seeds = self.weights.seeds[:: len(self.tasks)]
        pairs = zip(self.candidates(0), seeds, strict=True)
        chosen = [self._legal(routes, seed, 1)[0] for routes, seed in pairs]
        metrics = self.weights.inherited([route for route, _ in chosen for _ in self.tasks])
        found = []
        for k, (route, origin) in enumerate(chosen):
            own = {
                task.name: {str(n): float(v[k * len(self.tasks) + t]) for n, v in metrics[task.name].items()}
                for t, task in enumerate(self.tasks)
            }
            sound = all(isfinite(value) for of_task in own.values() for value in of_task.values())
            found.append([Proposal(route=route, origin=origin, inherited=own)] if sound else [])
        return found

    def own_state(self) -> dict[str, Tensor]:
        """See ``SupernetSearch``."""
        return {"mask": self._mask.clone()}

    def load_own_state(self, state: Mapping[str, Tensor]) -> None:
        """See ``SupernetSearch``."""
        self._mask.copy_(state["mask"])

    def _prune(self, share: float) -> None:
        """Leave in every task's mask this share of its edges: those to the components of largest magnitude.

        The best source of a junction always stays.
        """
        magnitude = dict(self._magnitudes())
        for t, own in enumerate(self._own):
            if not own.sources:
                continue
            rows = torch.arange(t, len(self._mask), len(self.tasks), device=self._mask.device)
            mask_KE = self._mask[rows][:, own.places]
            score_KE = torch.stack([magnitude[source][rows] for source in own.sources], dim=1) * mask_KE
            for members in own.of_junctions:
                best = members[score_KE[:, members].argmax(1)]
                score_KE = score_KE.scatter(1, best[:, None], torch.inf)
            rank_KE = score_KE.argsort(dim=1, descending=True).argsort(dim=1)
            kept = (rank_KE < ceil(share * len(own.sources))) | score_KE.isinf()
            self._mask[rows[:, None], own.places] = mask_KE * kept

    def _magnitudes(self) -> Iterator[tuple[str, Tensor]]:
        """Mean absolute weight ``[K T]`` of the component in every slot."""
        for group, bank in self.net.slot_banks():
            parts = [p.detach() for p in bank.parameters() if p.dim() > 3]
            total = torch.stack([p.abs().flatten(2).mean(2) for p in parts]).sum(0) if parts else None
            for slot, instance in zip(group.slots, group.instances, strict=True):
                yield slot.name, self._mask.new_ones(len(self._mask)) if total is None else total[:, instance]

    def _prunable(self) -> list[tuple[str, str, int, str]]:
        """Junction, source, position and task of every edge that a mask may drop: those in one task's part alone."""
        graph = self.space.graph
        whole = self._route({})
        users: dict[str, list[str]] = {}
        for task in graph.tasks:
            for name in task_path(graph, whole, task).junctions:
                users.setdefault(name, []).append(task)
        return [
            (junction.name, edge.source, self.net.layout.edges[junction.name, edge.source], users[junction.name][0])
            for junction in graph.junctions
            for edge in junction.edges
            if len(users.get(junction.name, ())) == 1 and len(junction.edges) > 1 and not edge.required
        ]

    def _selection(self) -> Selection:
        whole = self._whole
        return replace(
            whole,
            edges=whole.edges * self._mask.unsqueeze(1),
            gates=whole.gates.expand(len(self._mask), -1, -1),
            queries=whole.queries.expand(len(self._mask), -1, -1),
            blocks=whole.blocks.expand(len(self._mask), -1, -1),
            forward_only=None,
        )

    def _route(self, dropped: Mapping[str, Sequence[str]]) -> Route:
        """Everything but the dropped sources, by junction."""
        mixes = {}
        for junction in self.space.graph.junctions:
            gone = dropped.get(junction.name, ())
            states = {edge.source: edge.states[0] for edge in junction.edges if edge.source not in gone}
            gates = [gate for gate in junction.gates if gate is not GateKind.PASS]
            mixes[junction.name] = Mix.of(junction, states, gate=gates[0] if gates else GateKind.PASS)
        return Route.of(mixes, {slot.name: slot.choices[0] for slot in self.space.graph.slots})


@dataclass(frozen=True, slots=True, kw_only=True)
class _OwnEdges:
    """The edges of one task's part that a mask may drop.

    Attributes:
        sources: the component that each comes from.
        places: where they stand in a mask.
        of_junctions: which of them enter one junction, junction by junction.
    """

    sources: tuple[str, ...]
    places: Tensor
    of_junctions: tuple[Tensor, ...]

    @classmethod
    def of(cls, task: str, edges: Sequence[tuple[str, str, int, str]], device: torch.device) -> _OwnEdges:
        own = [(junction, source, place) for junction, source, place, owner in edges if owner == task]
        members: dict[str, list[int]] = {}
        for number, (junction, _, _) in enumerate(own):
            members.setdefault(junction, []).append(number)
        return cls(
            sources=tuple(source for _, source, _ in own),
            places=torch.tensor([place for _, _, place in own], dtype=torch.long, device=device),
            of_junctions=tuple(torch.tensor(numbers, device=device) for numbers in members.values()),
        )
