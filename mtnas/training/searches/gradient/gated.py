"""Architectures whose gates choose: all connections are there, and the gates' own parameters close them.

The supernet is built from the space's graph under another gate (``routes.building.relaxed``). A route is made of the
connections that the gates leave open on rows of ``search``, in the space's own manner of mixing (the first gate and
query that it permits).

Legend: K pack, J junctions, N sources, B batch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mtnas.routes import GateKind, Junction, Mix, Route, RouteGraph
from mtnas.routes.building.relaxed import with_gate
from mtnas.routes.nodes import EdgeState
from mtnas.search.specs.gradient_specs import LOOK_ROWS
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection
from mtnas.supernets.junctions import JunctionGroup
from mtnas.training.searches.gradient.architecture import Architecture, Course, SearchT
from mtnas.training.searches.shared_supernet import SharedWeights
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.noise import Noise


class GatedArchitecture(Architecture[SearchT]):
    """Gates of one kind at every junction with several sources."""

    kind: GateKind

    def __init__(
        self, space: SearchSpace, searches: Sequence[SearchT], device: torch.device, dtype: torch.dtype
    ) -> None:
        """See ``Architecture``."""
        super().__init__(space, searches, device, dtype)
        self.graph = self.gated(space)
        self._all = Selection.from_routes(
            self.graph,
            [[_everything(self.graph)]] * len(searches),
            device=device,
            dtype=dtype,
            gate=self.gate_settings(),
        )

    def gated(self, space: SearchSpace) -> RouteGraph:
        """The space's graph under the method's gate."""
        return with_gate(space.graph, self.kind)

    @abstractmethod
    def gate_settings(self) -> list[dict[str, float]]:
        """Settings of the gates, per search."""

    @abstractmethod
    def is_open(self, values_N: Tensor) -> Tensor:
        """Which sources of a junction a route keeps, bool ``[N]``, given its gate's mean values."""

    def is_weight(self, name: str) -> bool:
        """All but the gates' own parameters."""
        return f".kinds.{self.kind}." not in name

    def flat(self, weights: SharedWeights) -> FlatParameters:
        """The gates' parameters."""
        return FlatParameters(
            weights.objective.module, decays=lambda _: False, takes=lambda name: not self.is_weight(name)
        )

    def selection(self, noise: Noise | None, num_groups: int, course: Course) -> Selection:
        """All connections: the gates do the rest."""
        return self._all

    def terms(self, course: Course) -> Tensor:
        """Nothing: the gates' penalties come with the losses."""
        return torch.zeros(len(self.searches), device=self.device, dtype=self.dtype)

    def best(self, weights: SharedWeights) -> list[Route]:
        """What the gates leave open without noise."""
        return self._routes(weights, None)

    def drawn(self, weights: SharedWeights, count: int) -> list[list[Route]]:
        """What they leave open under their own noise."""
        rows = [self._routes(weights, weights.noise) for _ in range(count)]
        return [list(of_search) for of_search in zip(*rows, strict=True)]

    def in_supernet(self, route: Route) -> Route:
        """The route's connections under the method's gate."""
        mixes = route.mix_of()
        return Route.of(
            {
                junction.name: _mix(junction, mixes[junction.name].inputs)
                for junction in self.graph.junctions
                if junction.name in mixes
            },
            route.block_of(),
        )

    def _routes(self, weights: SharedWeights, noise: Noise | None) -> list[Route]:
        batch = next(iter(weights.held_out(LOOK_ROWS).epoch(0)))
        values: dict[str, Tensor] = {}
        with _watching(weights.net.gates) as seen, torch.no_grad():
            weights.net.trunk(batch, weights.told(self._all), noise)
            weights.charge(batch)
            for group, values_KJNB in seen:
                values |= dict(zip(group.names, values_KJNB.mean(-1).unbind(1), strict=True))
        return [self._route({name: of_all[k] for name, of_all in values.items()}) for k in range(len(self.searches))]

    def _route(self, values: dict[str, Tensor]) -> Route:
        mixes = {}
        for junction in self.space.graph.junctions:
            if len(junction.edges) == 1:
                mixes[junction.name] = _mix(junction, junction.sources)
                continue
            value_N = values[junction.name]
            order = value_N.abs().argsort(descending=True, stable=True).tolist()
            wanted = int(self.is_open(value_N).sum())
            required = [n for n, edge in enumerate(junction.edges) if edge.required]
            count = min(max(wanted, junction.min_inputs), self.space.most_inputs(junction))
            kept = {*required, *[n for n in order if n not in required][: max(count - len(required), 0)]}
            mixes[junction.name] = _mix(junction, [junction.sources[n] for n in sorted(kept)])
        return Route.of(mixes, {slot.name: slot.choices[0] for slot in self.space.graph.slots})


def _everything(graph: RouteGraph) -> Route:
    """The route with every connection of a graph whose slots have one block."""
    mixes = {junction.name: _mix(junction, junction.sources) for junction in graph.junctions}
    return Route.of(mixes, {slot.name: slot.choices[0] for slot in graph.slots})


def _mix(junction: Junction, inputs: Sequence[str]) -> Mix:
    """These inputs, in the first manner that the junction permits."""
    states = {edge.source: _state(edge.states) for edge in junction.edges if edge.source in inputs}
    gates = [gate for gate in junction.gates if gate is not GateKind.PASS]
    return Mix.of(
        junction,
        states,
        gate=gates[0] if gates else GateKind.PASS,
        query=junction.queries[0] if junction.queries else None,
    )


def _state(states: Sequence[EdgeState]) -> EdgeState:
    return EdgeState.ON if EdgeState.ON in states else states[0]


@contextmanager
def _watching(groups: nn.ModuleDict) -> Iterator[list[tuple[JunctionGroup, Tensor]]]:
    """Values ``[K, J, N, B or 1]`` of every junction group with several sources, as a pass goes by."""
    seen: list[tuple[JunctionGroup, Tensor]] = []

    def look(group: nn.Module, arguments: tuple[Any, ...], _: object) -> None:
        assert isinstance(group, JunctionGroup)
        if len(group.sources_of[0]) > 1:
            seen.append((group, group.values(*arguments)))

    hooks = [group.register_forward_hook(look) for group in groups.values()]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
