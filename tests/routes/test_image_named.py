"""Named routes over images: who shares what, matched sizes, and the widest route of the space they compare with."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mtnas.errors import SpaceError
from mtnas.routes import InputShape, Tower, cost, task_path
from mtnas.routes.schemes import image_size
from mtnas.routes.schemes.by_name import IMAGE_ROUTES, full_route, matched
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection, Supernet
from search_spaces.gumbel_matrix import gumbel_matrix_space
from search_spaces.mtnas_layers import mtnas_space
from tests.supernets.batches import random_features

TOWERS = [Tower(task=task, reads="", hidden=(), outputs=4) for task in ("a", "b", "c")]
INPUTS = InputShape(num_numeric=144)


def space(channels: int = 8, layers: int = 3) -> SearchSpace:
    found = gumbel_matrix_space(TOWERS, layers=layers, image=(1, 12, 12), channels=channels)
    return replace(found, inputs=INPUTS)


def test_the_size_of_a_space_is_read_off_its_graph() -> None:
    size = image_size(space().graph)
    assert size is not None
    assert (size.image, size.strides, size.width, len(size.components)) == ((1, 12, 12), (2, 2, 1), 8, 7)
    assert image_size(mtnas_space(TOWERS).graph) is None


def test_tasks_alone_share_nothing_and_others_share_all_below_the_towers() -> None:
    size = image_size(space().graph)
    assert size is not None
    for name, build in IMAGE_ROUTES.items():
        named = build(TOWERS, size)
        paths = [task_path(named.graph, named.route, tower.task).slots for tower in TOWERS]
        if name == "single_task":
            assert not any(paths[i] & paths[j] for i in range(3) for j in range(i))
            assert len(set(map(len, paths))) == 1
        else:
            assert len(set(paths)) == 1


@pytest.mark.parametrize("name", sorted(IMAGE_ROUTES))
@pytest.mark.parametrize("channels", [8, 12, 24])
def test_parameters_match_within_five_percent(name: str, channels: int) -> None:
    found = space(channels)
    wanted = found.cost(full_route(found.graph)).num_params
    size = image_size(found.graph)
    assert size is not None
    named = matched(name, TOWERS, size, INPUTS, num_params=wanted)
    assert cost(named.graph, named.route, INPUTS).num_params == pytest.approx(wanted, rel=0.05)


def test_full_sharing_is_the_widest_route_of_the_space() -> None:
    """The same numbers from the same weights, though the space runs a stream per task."""
    found = space(channels=4, layers=2)
    size = image_size(found.graph)
    assert size is not None
    named = IMAGE_ROUTES["full_sharing"](TOWERS, size)
    nets = [Supernet(graph, INPUTS, [0], dtype=torch.float64) for graph in (found.graph, named.graph)]
    for one, two in zip(*(net.parameters() for net in nets), strict=True):
        assert one.shape == two.shape
        with torch.no_grad():
            two.copy_(one)
    batch = random_features(INPUTS, rows=5, seed=0)
    outputs = [
        net(batch, Selection.from_routes(graph, [[full_route(graph)]], dtype=torch.float64))
        for net, graph in zip(nets, (found.graph, named.graph), strict=True)
    ]
    for one, two in zip(*outputs, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-10)


def test_a_scheme_without_images_is_refused_by_name() -> None:
    size = image_size(space().graph)
    assert size is not None
    with pytest.raises(SpaceError, match="over images, found ple"):
        matched("ple", TOWERS, size, INPUTS, num_params=1000)
