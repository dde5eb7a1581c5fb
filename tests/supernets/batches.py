"""Random batches of features for any shape of inputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mtnas.routes import InputShape


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomBag:
    """A multi-valued feature: values and the share of each in the mean."""

    values: Tensor
    weights: Tensor

    def part(self, seeds: slice, rows: slice) -> RandomBag:
        """Some data seeds and rows of it."""
        return RandomBag(values=self.values[seeds, rows], weights=self.weights[seeds, rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomFeatures:
    """What an encoder reads (``mtnas.supernets.inputs.encoder.Features``)."""

    categorical: Tensor
    numeric: Tensor
    bags: tuple[RandomBag, ...]
    seed_of: Tensor | None = None

    def rows(self, start: int, stop: int) -> RandomFeatures:
        """Some rows of the batch."""
        return self._part(slice(None), slice(start, stop), self.seed_of)

    def of_candidate(self, candidate: int) -> RandomFeatures:
        """What one candidate of a pack reads."""
        seed = 0 if self.seed_of is None else int(self.seed_of[candidate])
        return self._part(slice(seed, seed + 1), slice(None), None)

    def _part(self, seeds: slice, rows: slice, seed_of: Tensor | None) -> RandomFeatures:
        return RandomFeatures(
            categorical=self.categorical[seeds, rows],
            numeric=self.numeric[seeds, rows],
            bags=tuple(bag.part(seeds, rows) for bag in self.bags),
            seed_of=seed_of,
        )


def random_features(
    inputs: InputShape,
    *,
    rows: int,
    seed: int,
    seed_of: tuple[int, ...] | None = None,
    bag_length: int = 3,
    dtype: torch.dtype = torch.float64,
) -> RandomFeatures:
    """A batch; bags hold 0 to ``bag_length`` values, so empty ones occur."""
    generator = torch.Generator().manual_seed(seed)
    S = 1 if seed_of is None else max(seed_of) + 1

    def whole(below: int, *shape: int) -> Tensor:
        return torch.randint(below, shape, generator=generator)

    categorical = [whole(vocabulary, S, rows) for vocabulary in inputs.vocabularies]
    bags = []
    for vocabulary in inputs.bag_vocabularies:
        length = whole(bag_length + 1, S, rows, 1)
        inside = torch.arange(bag_length) < length
        values = torch.where(inside, whole(vocabulary, S, rows, bag_length), 0)
        bags.append(RandomBag(values=values, weights=inside.to(dtype) / length.clamp(min=1)))
    numeric = torch.randn(S, rows, inputs.num_numeric, generator=generator, dtype=dtype)
    if inputs.numbers is not None:
        for place, segments in zip(inputs.numbers.places, inputs.numbers.segments, strict=True):
            numeric[..., place] = torch.rand(S, rows, generator=generator, dtype=dtype) * segments
    return RandomFeatures(
        categorical=torch.stack(categorical, -1) if categorical else torch.zeros(S, rows, 0, dtype=torch.long),
        numeric=numeric,
        bags=tuple(bags),
        seed_of=None if seed_of is None else torch.tensor(seed_of),
    )
