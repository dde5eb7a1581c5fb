"""Initial weights depend on seed and site alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mtnas.training.initial import initial_weights


def _draw(weight: Tensor, generator: torch.Generator) -> None:
    nn.init.normal_(weight, generator=generator)


def test_equal_seed_and_site_start_equal_in_any_pack() -> None:
    pack = initial_weights([5, 3, 5, 8], "layer0.slot1.weight", (4, 6), _draw)
    alone = initial_weights([3], "layer0.slot1.weight", (4, 6), _draw)
    assert pack.shape == (4, 4, 6)
    assert torch.equal(pack[1], alone[0])
    assert torch.equal(pack[0], pack[2])


def test_other_seeds_and_sites_start_elsewhere() -> None:
    values = [initial_weights([seed], site, (8,), _draw)[0] for seed in (0, 1) for site in ("a.weight", "b.weight")]
    assert all(not torch.equal(left, right) for i, left in enumerate(values) for right in values[:i])


def test_precisions_round_the_same_draw() -> None:
    exact = initial_weights([7], "a", (100,), _draw, dtype=torch.float64)
    rounded = initial_weights([7], "a", (100,), _draw)
    assert torch.equal(exact.float(), rounded)


def test_global_random_state_is_neither_read_nor_changed() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = initial_weights([1], "a", (5,), _draw)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(initial_weights([1], "a", (5,), _draw), first)
