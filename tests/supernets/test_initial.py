"""Initial weights: one draw per (seed, site), whatever else is in the pack or in the graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtnas.routes import Route, Tower, canonical_route, shape_graph
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Initial, Supernet
from mtnas.supernets.banks.bank import MlpBank
from mtnas.supernets.initial import site_seed
from tests.routes.random_graphs import BLOCKS, INPUTS, random_graph

TOWERS = (Tower(task="a", reads=""), Tower(task="b", reads="", hidden=()))


@pytest.mark.parametrize("seed", range(10))
def test_weights_depend_on_the_candidates_seed_and_not_on_the_pack(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed))
    pack = Supernet(graph, INPUTS, [3, 7, 3, 11])
    for k, own in enumerate([3, 7, 3, 11]):
        single = dict(Supernet(graph, INPUTS, [own]).named_parameters())
        for name, parameter in pack.named_parameters():
            assert torch.equal(parameter[k], single[name][0])


def test_other_seeds_and_other_sites_have_other_weights() -> None:
    graph = layered_graph(TOWERS, subnets=(3, 3), choices=BLOCKS[:1])
    net = Supernet(graph, INPUTS, [0, 1])
    drawn = [p[k, i] for bank in net.banks.values() for p in (bank.weights[0],) for k in (0, 1) for i in range(3)]  # type: ignore[union-attr,index]
    assert len(drawn) == 12
    assert len({tuple(weight.flatten().tolist()) for weight in drawn}) == 12


def test_slots_start_alike_in_a_wide_graph_and_in_a_routes_shape() -> None:
    """So a retrained route starts from the same weights whatever space it was found in."""
    wide = layered_graph(TOWERS, subnets=(5, 4), choices=BLOCKS[:1])
    slim = layered_graph(TOWERS, subnets=(2, 1), choices=BLOCKS[:1])
    route: Route = canonical_route(wide, full_route(slim))
    shape = shape_graph(wide, route)
    nets = [Supernet(graph, INPUTS, [4]) for graph in (wide, shape)]
    found = [
        {slot.name: bank.weights[0][0, i] for group, bank in net.slot_banks() for i, slot in enumerate(group.slots)}  # type: ignore[union-attr,index]
        for net in nets
    ]
    assert set(found[1]) == {"l1.0", "l1.1", "l2.0"}
    assert all(torch.equal(found[0][name], weight) for name, weight in found[1].items())
    for ours, theirs in zip(nets[0].encoder.parameters(), nets[1].encoder.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_order_of_slots_and_tasks_changes_no_weight() -> None:
    graph = layered_graph(TOWERS, subnets=(3,), choices=BLOCKS[:1])
    turned = type(graph)(
        encoders=graph.encoders,
        slots=graph.slots[::-1],
        junctions=graph.junctions[::-1],
        towers=graph.towers[::-1],
    )
    nets = [Supernet(g, INPUTS, [9]) for g in (graph, turned)]
    weights = [
        {
            slot.name: bank.weights[0][0, i].sum().item()  # type: ignore[union-attr,index]
            for group, bank in net.slot_banks()
            for i, slot in zip(group.instances, group.slots, strict=True)
        }
        for net in nets
    ]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_starts_from_the_same_numbers_rounded(dtype: torch.dtype) -> None:
    graph = random_graph(np.random.default_rng(0))
    exact, rounded = Supernet(graph, INPUTS, [0], dtype=torch.float64), Supernet(graph, INPUTS, [0], dtype=dtype)
    for ours, theirs in zip(rounded.parameters(), exact.parameters(), strict=True):
        assert ours.dtype == dtype
        assert torch.equal(ours, theirs.to(dtype))


def test_draws_have_the_stated_spread() -> None:
    initial = Initial(seeds=[0], dtype=torch.float64)
    uniform = initial.uniform(["a"], (100, 100), 0.3)
    assert uniform.abs().max() <= 0.3
    assert uniform.mean().abs() < 0.01
    assert float(uniform.std()) == pytest.approx(0.3 / 3**0.5, rel=0.02)
    normal = initial.normal(["a"], (100, 100), 0.2)
    assert float(normal.std()) == pytest.approx(0.2, rel=0.03)


def test_drawing_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Supernet(random_graph(np.random.default_rng(0)), INPUTS, [0])
    assert torch.equal(torch.rand(3), expected)


def test_site_seeds_are_fixed_for_ever() -> None:
    """A golden value: another hash would change every result ever reported."""
    assert site_seed(0, "l1.0/mlp(64)/0") == 55252981981472055
    assert site_seed(0, "a") != site_seed(1, "a") != site_seed(0, "b")


def test_first_units_are_neither_dead_nor_exploding() -> None:
    """He's bound keeps the second moment of a layer's output near that of its input (He et al., 2015, eq. 10)."""
    bank = MlpBank([f"s{i}" for i in range(8)], BLOCKS[1], 6, Initial(seeds=[0], dtype=torch.float64))
    x = torch.randn(1, 8, 4000, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moment = bank(x, None).detach().square().mean()
    assert 0.5 < float(moment) < 2


def test_normalised_blocks_start_as_plain_normalisation() -> None:
    bank = MlpBank(["s"], BLOCKS[0], 6, Initial(seeds=[0], dtype=torch.float64))
    x = torch.randn(1, 1, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.nn.functional.layer_norm(x @ bank.weights[0], (6,)).relu()
    torch.testing.assert_close(bank(x, None), expected)
