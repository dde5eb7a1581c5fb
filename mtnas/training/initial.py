"""Initial weights: one draw per (seed, site), so equal sites start equal whatever else is in the pack."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mtnas.training.seeds import derived_seed


def initial_weights(
    seeds: Sequence[int],
    site: str,
    shape: Sequence[int],
    draw: Callable[[Tensor, torch.Generator], object],
    *,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw a parameter's first values for K candidates.

    Args:
        seeds: one seed per candidate; candidates of one seed get equal values.
        site: the parameter's name, unique within a candidate.
        shape: shape for one candidate.
        draw: fills a tensor in place from a generator, such as
            ``lambda weight, generator: nn.init.xavier_uniform_(weight, generator=generator)``.
        dtype: type of the result. Draws are made in float64 on the CPU and rounded, so every precision and device
            starts from the same weights.

    Returns:
        ``[K, *shape]`` on the CPU.
    """
    drawn: dict[int, Tensor] = {}
    for seed in seeds:
        if seed not in drawn:
            generator = torch.Generator().manual_seed(derived_seed("initial", seed, site))
            drawn[seed] = torch.empty(tuple(shape), dtype=torch.float64)
            draw(drawn[seed], generator)
    return torch.stack([drawn[seed] for seed in seeds]).to(dtype)
