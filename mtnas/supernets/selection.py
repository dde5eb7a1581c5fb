"""Selection: what a forward pass is told about routes.

Legend: K pack, G route groups along the batch, E edges, A gates, Q queries, C blocks (positions of a Layout).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from mtnas.errors import SpaceError
from mtnas.routes import GateKind, Route, RouteGraph
from mtnas.routes.gate_settings import GATE_SETTINGS, check_gate_settings
from mtnas.routes.nodes import NO_QUERY
from mtnas.supernets.choice_layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which choices are active, per candidate and route group: 0 or 1, or a relaxed sample that carries gradients.

    The batch is cut into G equal consecutive groups of rows; group g of candidate k follows entry [k, g].

    Attributes:
        edges: ``[K, G, E]``.
        gates: ``[K, G, A]``.
        queries: ``[K, G, Q]``.
        blocks: ``[K, G, C]``.
        forward_only: ``[K, G, E]``, 1 where the gradient stops at an active edge; None when it never does.
        settings: ``[K]`` by name: numbers that the gates work with (``mtnas.routes.gate_settings``); missing ones have
            their defaults.

    A junction whose gates are all 0 takes its edges as values: that is how one input passes.
    """

    edges: Tensor
    gates: Tensor
    queries: Tensor
    blocks: Tensor
    forward_only: Tensor | None = None
    settings: Mapping[str, Tensor] = field(default_factory=dict)

    def setting(self, name: str, num_axes: int) -> Tensor | float:
        """A gate's setting: ``[K, 1, ...]`` with this many axes of size 1 behind, or the default."""
        found = self.settings.get(name)
        return GATE_SETTINGS[name] if found is None else found.view(-1, *[1] * num_axes)

    @property
    def num_groups(self) -> int:
        """Route groups along the batch."""
        return self.edges.shape[1]

    @staticmethod
    def from_route(graph: RouteGraph, route: Route, *, device: torch.device | str = "cpu") -> Selection:
        """One route for one candidate."""
        return Selection.from_routes(graph, [[route]], device=device)

    @staticmethod
    def from_routes(
        graph: RouteGraph,
        routes: Sequence[Sequence[Route]],
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        gate: Sequence[Mapping[str, float]] = (),
    ) -> Selection:
        """Routes ``[K][G]`` of one graph; choices that a route leaves out stay inactive.

        ``gate``: settings of the gates, one mapping per candidate.

        Raises:
            SpaceError: a route uses something the graph does not have, or rows of different lengths.
        """
        layout = Layout.of(graph)
        num_groups = len(routes[0])
        if any(len(row) != num_groups for row in routes):
            found = str([len(row) for row in routes])
            raise SpaceError(expected="equally many route groups per candidate", found=found, where="selection")
        sizes = len(layout.edges), len(layout.edges), len(layout.gates), len(layout.queries), len(layout.blocks)
        edges, forward_only, gates, queries, blocks = (
            np.zeros((len(routes), num_groups, size), dtype=np.float32) for size in sizes
        )
        for k, row in enumerate(routes):
            for g, route in enumerate(row):
                try:
                    for name, mix in route.mixes:
                        edges[k, g, [layout.edges[name, source] for source in mix.inputs]] = 1
                        forward_only[k, g, [layout.edges[name, source] for source in mix.forward_only]] = 1
                        if mix.gate is not GateKind.PASS:
                            gates[k, g, layout.gates[name, mix.gate]] = 1
                        if mix.query != NO_QUERY:
                            queries[k, g, layout.queries[name, mix.query]] = 1
                    for name, block in route.blocks:
                        blocks[k, g, layout.blocks[name, block.text]] = 1
                except KeyError as error:
                    raise SpaceError(
                        expected="choices of the graph", found=str(error), where=f"route {route.text}"
                    ) from error
        to_device = partial(torch.as_tensor, device=device, dtype=dtype)
        return Selection(
            edges=to_device(edges),
            gates=to_device(gates),
            queries=to_device(queries),
            blocks=to_device(blocks),
            forward_only=to_device(forward_only) if forward_only.any() else None,
            settings=settings_of(gate, device=device, dtype=dtype),
        )

    def keep(self, index: Tensor) -> Selection:
        """The selection of some candidates: ``index`` [K'] into the pack axis."""
        return Selection(
            edges=self.edges.index_select(0, index),
            gates=self.gates.index_select(0, index),
            queries=self.queries.index_select(0, index),
            blocks=self.blocks.index_select(0, index),
            forward_only=None if self.forward_only is None else self.forward_only.index_select(0, index),
            settings={name: values.index_select(0, index) for name, values in self.settings.items()},
        )


def settings_of(
    gate: Sequence[Mapping[str, float]], *, device: torch.device | str, dtype: torch.dtype
) -> dict[str, Tensor]:
    """Settings of the gates ``[K]`` by name, from one mapping per candidate; names that none of them has are left out.

    Raises:
        SpaceError: a name that no gate has, or a value outside its range.
    """
    for settings in gate:
        check_gate_settings(settings)
    return {
        name: torch.tensor([settings.get(name, default) for settings in gate], device=device, dtype=dtype)
        for name, default in GATE_SETTINGS.items()
        if any(name in settings for settings in gate)
    }
