"""What a gradient search learns beside the weights: architecture parameters, and the routes they stand for.

Legend: K pack, G route groups along a batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from mtnas.routes import Route, RouteGraph
from mtnas.search.specs.gradient_specs import GradientSearch
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection
from mtnas.training.searches.shared_supernet import SharedWeights
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.noise import Noise

SearchT = TypeVar("SearchT", bound=GradientSearch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where a search stands.

    Attributes:
        step: weight steps taken.
        warm: those before the architecture begins to learn.
        total_steps: those of the whole search.
    """

    step: int
    warm: int
    total_steps: int

    @property
    def learned(self) -> float:
        """Share of the architecture's learning that is over, 0 to 1."""
        return min(max((self.step - self.warm) / max(self.total_steps - self.warm, 1), 0.0), 1.0)


class Architecture(ABC, Generic[SearchT]):
    """The architecture parameters of K searches.

    Attributes:
        space: where to search.
        graph: what the supernet is built from.
    """

    def __init__(
        self, space: SearchSpace, searches: Sequence[SearchT], device: torch.device, dtype: torch.dtype
    ) -> None:
        """Begin undecided.

        Args:
            space: where to search, its inputs known.
            searches: the settings, one per search.
            device: where the parameters live.
            dtype: their type.
        """
        self.space, self.searches, self.device, self.dtype = space, tuple(searches), device, dtype
        self.search = self.searches[0]
        self.graph: RouteGraph = space.graph
        self._numbers = {
            name: torch.tensor([float(getattr(search, name)) for search in searches], device=device, dtype=dtype)
            for name in type(self.search).model_fields
            if all(isinstance(getattr(search, name), int | float) for search in searches)
        }

    def number(self, name: str) -> Tensor:
        """A number of the settings, ``[K]``."""
        return self._numbers[name]

    def is_weight(self, name: str) -> bool:
        """Whether a parameter of the supernet is a weight; what is none belongs to the architecture."""
        return True

    @abstractmethod
    def flat(self, weights: SharedWeights) -> FlatParameters:
        """The architecture parameters, as buffers."""

    @abstractmethod
    def selection(self, noise: Noise | None, num_groups: int, course: Course) -> Selection:
        """What a pass is told ``[K, G]``, with gradients to the architecture parameters."""

    @abstractmethod
    def terms(self, course: Course) -> Tensor:
        """What the architecture's loss has beside the tasks', ``[K]``."""

    def advance(self, course: Course) -> None:
        """Whatever happens at fixed moments, after a step; decided by the course and the parameters alone."""

    def expected(self) -> Selection | None:
        """Probabilities ``[K, 1, ...]`` of what routes use; None where gates decide, and limits count at the end."""
        return None

    def can_settle(self, course: Course) -> bool:
        """Whether entropy tells what is left to decide."""
        return True

    @abstractmethod
    def entropy(self) -> Tensor:
        """How undecided the searches are, ``[K]`` in nats."""

    @abstractmethod
    def best(self, weights: SharedWeights) -> list[Route]:
        """The route that each search stands for now."""

    @abstractmethod
    def drawn(self, weights: SharedWeights, count: int) -> list[list[Route]]:
        """Routes near it, as the method's own noise gives them."""

    def in_supernet(self, route: Route) -> Route:
        """How the supernet spells a route of the space."""
        return route
