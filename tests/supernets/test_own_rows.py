"""Rows that belong to tasks: the same outputs and gradients as a supernet that shows every row to every task.

Tolerance 1e-10 relative to the largest number compared: float64, sums in another order.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.errors import SpaceError
from mtnas.routes import NAMED_ROUTES, InputShape, Route, RouteGraph, Tower
from mtnas.routes.schemes.by_name import Size
from mtnas.supernets import Selection, Supernet
from mtnas.supernets.copying import copy_nodes
from mtnas.supernets.own_rows import RowsOf
from search_spaces.gumbel_matrix import gumbel_matrix_space
from tests.routes.random_graphs import INPUTS, random_graph, random_route
from tests.supernets.batches import random_features
from tests.supernets.weights import randomise

TOLERANCE = 1e-10
TOWERS = tuple(Tower(task=task, reads="", hidden=(4,), outputs=2) for task in ("a", "b", "c"))


def assert_own_rows_are_enough(graph: RouteGraph, routes: list[list[Route]], inputs: InputShape, seed: int) -> None:
    """Each task's outputs for its own rows, and their gradients, whether or not others' rows were computed."""
    K, T = len(routes), len(graph.tasks)
    num_rows = 2 * T * len(routes[0])
    full = Supernet(graph, inputs, range(K), dtype=torch.float64)
    own = Supernet(graph, inputs, range(K), dtype=torch.float64, own_rows=True)
    randomise(full, seed=seed, scale=0.3)
    for k in range(K):
        _copy(own, full, k)
    batch = random_features(inputs, rows=num_rows, seed=seed, seed_of=tuple((k + 1) % 2 for k in range(K)))
    selection = Selection.from_routes(graph, routes, dtype=torch.float64)
    of_all, of_own = full(batch, selection), own(batch, selection)
    generator = torch.Generator().manual_seed(seed)
    sums: list[Tensor] = [torch.zeros((), dtype=torch.float64)] * 2
    for t, (all_rows, own_rows) in enumerate(zip(of_all, of_own, strict=True)):
        assert own_rows.shape[1] == num_rows // T
        _assert_equal(own_rows, all_rows[:, t::T], f"outputs of {graph.tasks[t]}")
        weigh = torch.randn(own_rows.shape, generator=generator, dtype=torch.float64)
        sums = [sums[0] + (all_rows[:, t::T] * weigh).sum(), sums[1] + (own_rows * weigh).sum()]
    for net, total in zip((full, own), sums, strict=True):
        total.backward()
        _become_gradients(net)
    for k in range(K):
        found = Supernet(graph, inputs, [0], dtype=torch.float64)
        expected = Supernet(graph, inputs, [0], dtype=torch.float64)
        copy_nodes(found, own, candidate=k)
        copy_nodes(expected, full, candidate=k)
        for (name, ours), theirs in zip(found.named_parameters(), expected.parameters(), strict=True):
            _assert_equal(ours, theirs, f"gradient of {name}")


@pytest.mark.parametrize("seed", range(40))
def test_random_routes_of_random_graphs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    towers = tuple(replace(tower, product_of=None) for tower in graph.towers)
    graph = RouteGraph(encoders=graph.encoders, slots=graph.slots, junctions=graph.junctions, towers=towers)
    assert_own_rows_are_enough(graph, [[random_route(rng, graph)] for _ in range(2)], INPUTS, seed)


@pytest.mark.parametrize("name", sorted(set(NAMED_ROUTES) - {"esmm"}))
def test_named_routes(name: str) -> None:
    named = NAMED_ROUTES[name](TOWERS, Size(layers=2, experts=4, width=5))
    assert_own_rows_are_enough(named.graph, [[named.route]], INPUTS, seed=1)


@pytest.mark.parametrize("image", [(), (1, 6, 5)])
def test_streams_of_tasks_with_a_route_per_group_of_rows(image: tuple[int, ...]) -> None:
    """Gumbel-Matrix: task t uses component i or not; several routes along one batch, as policy gradients need them."""
    space = gumbel_matrix_space(TOWERS, layers=2, components=3, width=5, image=image, channels=4)
    inputs = InputShape(num_numeric=30)
    rng = np.random.default_rng(0)
    space = replace(space, inputs=inputs)
    assert_own_rows_are_enough(space.graph, [[space.sample(rng) for _ in range(3)] for _ in range(2)], inputs, seed=3)


def test_a_stream_works_on_its_own_rows_alone() -> None:
    space = gumbel_matrix_space(TOWERS, layers=2, components=3, width=5, image=(1, 6, 5), channels=4)
    rows = RowsOf(space.graph, own=True)
    tasks = {slot.name: rows.task_of_node(slot.name) for slot in space.graph.slots}
    assert tasks.pop("stem") is None
    assert all(name.endswith(f".{task}") for name, task in tasks.items())
    assert {rows.task_of_node(slot.name) for slot in space.graph.slots} == {None, "a", "b", "c"}


def test_products_of_tasks_are_refused() -> None:
    towers = [Tower(task=task, reads="", hidden=(4,)) for task in ("a", "b")]
    named = NAMED_ROUTES["esmm"](towers, Size(width=4))
    with pytest.raises(SpaceError, match="products in the towers"):
        Supernet(named.graph, INPUTS, [0], own_rows=True)


def test_rows_must_be_as_many_of_every_task() -> None:
    named = NAMED_ROUTES["mmoe"](TOWERS, Size(width=4))
    net = Supernet(named.graph, INPUTS, [0], dtype=torch.float64, own_rows=True)
    selection = Selection.from_routes(named.graph, [[named.route]], dtype=torch.float64)
    with pytest.raises(SpaceError, match="of every task alike"):
        net(random_features(INPUTS, rows=7, seed=0), selection)


def _copy(target: Supernet, source: Supernet, candidate: int) -> None:
    """One candidate's weights into the same candidate of another pack."""
    lone = Supernet(source.graph, source.inputs, [0], dtype=torch.float64)
    copy_nodes(lone, source, candidate=candidate)
    whole = Supernet(source.graph, source.inputs, [0], dtype=torch.float64, own_rows=True)
    copy_nodes(whole, lone, candidate=0)
    with torch.no_grad():
        for mine, theirs in zip(target.parameters(), whole.parameters(), strict=True):
            mine[candidate] = theirs[0]


@torch.no_grad()
def _become_gradients(net: Supernet) -> None:
    for parameter in net.parameters():
        parameter.copy_(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)


def _assert_equal(ours: Tensor, theirs: Tensor, what: str) -> None:
    scale = max(1.0, float(theirs.detach().abs().max())) if theirs.numel() else 1.0
    worst = float((ours - theirs).detach().abs().max()) if theirs.numel() else 0.0
    assert worst <= TOLERANCE * scale, f"{what}: off by {worst} of {scale}"
