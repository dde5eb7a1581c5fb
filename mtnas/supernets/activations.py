"""Outputs of nodes during a forward pass, kept in the bundles in which they were computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtnas.supernets.own_rows import name_of_part, part_of
from mtnas.supernets.selection import Selection


class Activations:
    """Tensors ``[K, len(names), B, W]`` by the names of their nodes.

    Asking for a bundle as it was put costs nothing; other groupings are stacked from single nodes once. Where rows
    belong to ``tasks`` in turn, a node's rows of one task have a name of their own (``own_rows``).
    """

    def __init__(self, tasks: Sequence[str] = ()) -> None:
        self._tasks = tuple(tasks)
        self._bundles: dict[tuple[str, ...], Tensor] = {}
        self._bundle_of: dict[str, tuple[str, ...]] = {}
        self._single: dict[str, Tensor] = {}

    def put(self, names: tuple[str, ...], outputs: Tensor) -> None:
        """Keep outputs ``[K, len(names), B, W]``."""
        self._bundles[names] = outputs
        self._bundle_of |= dict.fromkeys(names, names)

    def get(self, names: Sequence[str]) -> Tensor:
        """Outputs of these nodes, in this order."""
        key = tuple(names)
        if key not in self._bundles:
            self._bundles[key] = torch.stack([self.one(name) for name in key], dim=1)
        return self._bundles[key]

    def one(self, name: str) -> Tensor:
        """Output ``[K, B, W]`` of one node."""
        if name in self._single:
            return self._single[name]
        if (part := part_of(name)) is not None:
            rows_KRW = self.one(part[0])
            K, R, W = rows_KRW.shape
            of_tasks = rows_KRW.reshape(K, R // len(self._tasks), len(self._tasks), W).unbind(2)
            names = [name_of_part(part[0], task) for task in self._tasks]
            self._single |= dict(zip(names, of_tasks, strict=True))
        else:
            bundle = self._bundle_of[name]
            self._single |= dict(zip(bundle, self._bundles[bundle].unbind(1), strict=True))
        return self._single[name]


class Trunk(Activations):
    """Outputs of the junctions of a pass, and the terms that its gates add to the loss."""

    def __init__(self, tasks: Sequence[str] = ()) -> None:
        super().__init__(tasks)
        self.penalties: dict[str, Tensor] = {}

    def penalise(self, terms: Mapping[str, Tensor]) -> None:
        """Add terms ``[K, G]`` by the name of the setting that weighs them; the mean over route groups counts."""
        for name, term in terms.items():
            self.penalties[name] = self.penalties.get(name, 0) + term.mean(1)

    def penalty(self, selection: Selection) -> Tensor | None:
        """Sum over candidates of their terms times their weights, a scalar for the loss; None where no gate has any."""
        terms = [term * selection.setting(name, 0) for name, term in self.penalties.items()]
        return torch.stack([term.sum() for term in terms]).sum() if terms else None
