"""What a gate is: it sees a group of junctions at work and gives the values of their connections.

Legend: K pack, G route groups along the batch, J junctions, R distinct source lists (each read by J/R junctions in a
row), N sources, B batch, W width of the sources, D width of a query.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from mtnas.routes.nodes import MEAN_QUERY
from mtnas.supernets.draws import Draws
from mtnas.supernets.inputs.encoded_inputs import Inputs, wide_product
from mtnas.supernets.mixing import weighted_sum
from mtnas.supernets.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """A group of junctions at work.

    Attributes:
        sources: ``[K, R, N, B, W]``.
        stopped_sources: the same where gradients stop; None when they never do.
        edges: active connections ``[K, J, N, B]``, with B = 1 where all rows follow one route.
        stopped: ``[K, J, N, B]``, 1 where the gradient stops; None when it never does.
        group_edges: ``[K, G, J, N]``, the same per route group.
        query_choice: ``[K, J, Q, B]``, which of a gate's queries each junction uses.
        queries: vectors ``[K, J or 1, B, D]`` by position of the query; None for ``mean`` and ``static``, and for
            ``input`` where rows are those of ``inputs``.
        inputs: the encoder's vector.
        selection: what the pass was told.
        draws: random numbers, None outside training.
    """

    sources: Tensor
    stopped_sources: Tensor | None
    edges: Tensor
    stopped: Tensor | None
    group_edges: Tensor
    query_choice: Tensor
    queries: tuple[Tensor | None, ...]
    inputs: Inputs
    selection: Selection
    draws: Draws | None

    @property
    def num_rows(self) -> int:
        """B."""
        return self.sources.shape[3]

    def weighted(self, values_KJNB: Tensor) -> Tensor:
        """``[K, J, B, W]``: sums of the sources weighted by values ``[K, J, N, B or 1]``.

        No gradient reaches a source through a connection that is stopped; the value is the same.
        """
        if self.stopped is None or self.stopped_sources is None:
            return weighted_sum(values_KJNB, self.sources)
        flowing = weighted_sum(values_KJNB * (1 - self.stopped), self.sources)
        return flowing + weighted_sum(values_KJNB * self.stopped, self.stopped_sources)

    def mean(self) -> Tensor:
        """Mean ``[K, J, B, W]`` of the active sources."""
        return self.weighted(self.edges / self.edges.sum(2, keepdim=True).clamp(min=1))

    def product(self, position: int, name: str, weight_KJDX: Tensor) -> Tensor:
        """``[K, J, X, B]``: every junction's map of its query, which is not ``static``."""
        vector = self.mean() if name == MEAN_QUERY else self.queries[position]
        if vector is None:
            return self.inputs.for_copies(self.inputs.product(weight_KJDX), 1).permute(0, 2, 3, 1)
        if vector.shape[1] < weight_KJDX.shape[1]:
            return wide_product(vector.squeeze(1), weight_KJDX).permute(0, 2, 3, 1)
        return (vector @ weight_KJDX).transpose(2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """Values of connections ``[K, J, N, B or 1]``, zero where an edge is off, and terms for the loss.

    Attributes:
        values: what each source is multiplied by.
        penalties: ``[K, G, J]`` by the name of the setting that weighs them.
    """

    values: Tensor
    penalties: Mapping[str, Tensor] = field(default_factory=dict)


class Gate(nn.Module, ABC):
    """One gate kind's parameters for a group of J junctions, the axes K and J first."""

    @abstractmethod
    def forward(self, mixing: Mixing) -> Gated:
        """Values of the connections."""

    def input_maps(self) -> Sequence[Tensor]:
        """Weights ``[K, J, D, X]`` that this gate multiplies the encoder's vector with."""
        return ()

    def of_junction(self, index: int, candidate: int) -> dict[str, Tensor]:
        """The parameters of one junction of one candidate, as views, by names that do not depend on the group."""
        return {name: parameter[candidate, index] for name, parameter in self.named_parameters()}

    def per_source(self, name: str) -> bool:
        """Whether the last axis of this parameter of a junction is that of the sources."""
        return True


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """The value of the first, exactly, with the gradient of the second."""
    return soft - soft.detach() + hard


def over_rows(choice_KGJN: Tensor, num_rows: int) -> Tensor:
    """Per route group to per row: ``[K, G, J, N]`` to ``[K, J, N, B]``, or B = 1 for one group."""
    G = choice_KGJN.shape[1]
    moved = choice_KGJN.permute(0, 2, 3, 1)
    return moved if G == 1 else moved.repeat_interleave(num_rows // G, dim=3)
