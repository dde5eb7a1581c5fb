"""Initial weights: one draw per (seed, site), so that a weight does not depend on what else is in the pack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Initial:
    """Draws initial weights for a pack of candidates.

    Attributes:
        seeds: one seed per candidate (K of them); candidates of one seed start from the same weights.
        device: where the weights live.
        dtype: their type; draws are made in float64, so that float32 and float64 runs start alike.
    """

    seeds: Sequence[int]
    device: torch.device | str = "cpu"
    dtype: torch.dtype = torch.float32

    def uniform(self, sites: Sequence[str], shape: Sequence[int], bound: float) -> Tensor:
        """``[K, len(sites), *shape]`` uniform between -bound and bound."""
        return (2 * self._draw(torch.rand, sites, shape) - 1).mul_(bound).to(self.device, self.dtype)

    def normal(self, sites: Sequence[str], shape: Sequence[int], deviation: float) -> Tensor:
        """``[K, len(sites), *shape]`` normal with mean zero."""
        return self._draw(torch.randn, sites, shape).mul_(deviation).to(self.device, self.dtype)

    def constant(self, sites: Sequence[str], shape: Sequence[int], value: float) -> Tensor:
        """``[K, len(sites), *shape]`` of one value."""
        return torch.full((len(self.seeds), len(sites), *shape), value, device=self.device, dtype=self.dtype)

    def _draw(self, draw: Callable[..., Tensor], sites: Sequence[str], shape: Sequence[int]) -> Tensor:
        """``[K, len(sites), *shape]`` in float64; equal seeds are drawn once."""
        of_seed = {
            seed: torch.stack(
                [
                    draw(*shape, generator=torch.Generator().manual_seed(site_seed(seed, site)), dtype=torch.float64)
                    for site in sites
                ]
            )
            for seed in set(self.seeds)
        }
        return torch.stack([of_seed[seed] for seed in self.seeds])


def site_seed(seed: int, site: str) -> int:
    """A generator seed that depends on the candidate's seed and the site's name alone."""
    return int.from_bytes(blake2b(f"{seed}/{site}".encode(), digest_size=7).digest(), "big")
