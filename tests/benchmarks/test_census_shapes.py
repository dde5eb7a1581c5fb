"""The candidate of the benchmarks: as costly as the design says, and alone what it is in a pack."""

from __future__ import annotations

import torch

from benchmarks.census_shapes import INPUTS, VOCABULARIES, candidate_graph, candidate_pack, census_rows
from benchmarks.plain_network import PlainNetwork
from mtnas.routes import cost
from mtnas.routes.schemes.by_name import full_route
from mtnas.training.recipe import Recipe
from mtnas.trials import Settings

ROWS = census_rows(train=2560, valid=64)
SETTINGS = [Settings(lr=1e-3 * (k + 1), seed=k, dropout=0.1) for k in range(3)]


def weights_after_ten_steps(settings: list[Settings]) -> dict[str, torch.Tensor]:
    pack = candidate_pack(ROWS, settings, Recipe(batch_size=256, epochs=1, evaluate_every=10, schedule="constant"))
    next(pack.run())
    return {name: tensor.detach().clone() for name, tensor in pack.net.named_parameters()}


def test_float32_products_of_real_size_keep_candidates_of_a_pack_as_they_are_alone() -> None:
    """Large products may run in another library; issue 5 allows 1e-5 after ten steps."""
    together = weights_after_ten_steps(SETTINGS)
    for k, settings in enumerate(SETTINGS):
        for name, alone in weights_after_ten_steps([settings]).items():
            assert (together[name][k] - alone[0]).abs().max() < 1e-5, name


def test_the_plain_network_has_as_many_weights() -> None:
    graph = candidate_graph()
    plain = sum(parameter.numel() for parameter in PlainNetwork().parameters())
    assert plain == cost(graph, full_route(graph), INPUTS).num_params
    assert INPUTS.width == 264
    assert len(VOCABULARIES) == 32
