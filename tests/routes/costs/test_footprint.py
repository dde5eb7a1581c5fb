"""The footprint of a graph counts what its supernet holds."""

from __future__ import annotations

import numpy as np
import pytest

from mtnas.routes import canonical_route, shape_graph
from mtnas.routes.costs.footprint import footprint
from mtnas.supernets import Supernet
from tests.search_spaces.every_space import SMALL, small_space


@pytest.mark.parametrize("name", SMALL)
def test_parameters_of_whole_graphs_and_of_shapes_are_those_of_their_supernets(name: str) -> None:
    space, inputs = small_space(name)
    rng = np.random.default_rng(0)
    shapes = [shape_graph(space.graph, canonical_route(space.graph, space.sample(rng))) for _ in range(3)]
    for graph in (space.graph, *shapes):
        net = Supernet(graph, inputs, [0, 1])
        assert footprint(graph, inputs).num_params == sum(p[0].numel() for p in net.parameters())


def test_numbers_per_row_are_those_of_the_nodes() -> None:
    space, inputs = small_space("mtnas")
    found = footprint(space.graph, inputs)
    assert found.inputs == inputs.width == 6
    assert found.slots == 2 * 3 * 4
    assert found.junctions == 3 * 4 + 3 * 4  # of layer 2 and of the towers; the first layer's has one source
    assert found.towers == (3 + 1) + 3 + (3 + 1)
    assert found.widest == 3 * 4
