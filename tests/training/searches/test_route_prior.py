"""The route prior from task affinity."""

from __future__ import annotations

import pytest
import torch

from mtnas.routes import Tower
from mtnas.tasks import Task, TaskKind
from mtnas.training.searches.policy import MULTINOMIAL_INPUTS, RoutePolicy
from mtnas.training.searches.route_prior import cosines, edge_prior, task_groups
from mtnas.training.step.noise import Noise
from search_spaces import build

TASKS = [Task(name=name, kind=TaskKind.BINARY, label=name) for name in "abcd"]
CLUSTERS = [[1.0, 0.6, -0.2, 0.0], [0.6, 1.0, 0.1, -0.1], [-0.2, 0.1, 1.0, 0.5], [0.0, -0.1, 0.5, 1.0]]


def test_cosines_are_those_of_the_gradients() -> None:
    gradients = torch.tensor([[[1.0, 0.0], [2.0, 2.0], [0.0, 0.0]]])
    found = cosines(gradients @ gradients.transpose(1, 2))[0]
    root = 0.5**0.5
    torch.testing.assert_close(found, torch.tensor([[1, root, 0], [root, 1, 0], [0, 0, 0]]))


def test_groups_are_the_blocks_of_the_affinity() -> None:
    assert task_groups(CLUSTERS, most=4) == (0, 0, 1, 1)
    order = [2, 0, 3, 1]
    assert task_groups([[CLUSTERS[i][j] for j in order] for i in order], most=4) == (0, 1, 0, 1)


def test_agreeing_tasks_are_one_group_and_opposed_ones_are_none() -> None:
    for sign, expected in ((0.5, (0, 0, 0)), (-0.5, (0, 1, 2))):
        affinity = [[1.0 if i == j else sign for j in range(3)] for i in range(3)]
        assert task_groups(affinity, most=4) == expected
    assert task_groups([[1.0, 0.3], [0.3, 1.0]], most=4) == (0, 0)


def test_there_are_never_more_groups_than_asked() -> None:
    affinity = [[1.0 if i == j else -0.5 for j in range(4)] for i in range(4)]
    assert max(task_groups(affinity, most=2)) == 1


@pytest.mark.parametrize("subnets", [4, MULTINOMIAL_INPUTS + 2])
def test_a_leaning_policy_keeps_groups_apart(subnets: int) -> None:
    space = build("mtnas", TASKS, {"layers": 2, "subnets": subnets, "width": 8})
    prior = edge_prior(space.graph, (0, 0, 1, 1), strength=2.0)
    noise = Noise(seeds=[0, 0], dropout=[0.0, 0.0], device=torch.device("cpu"))
    noise.at_step(0)
    policy = RoutePolicy(space, 2, torch.device("cpu"))
    policy.lean([prior, {}])
    drawn = policy.sample(noise, 400).selection
    on = {name: [drawn.edges[k, :, i].mean().item() for k in range(2)] for name, i in policy.layout.edges.items()}
    inside = [rates for edge, rates in on.items() if prior.get(edge, 0) > 0]
    across = [rates for edge, rates in on.items() if prior.get(edge, 0) < 0]
    assert inside
    assert across
    for leaning, plain in inside:
        assert leaning > plain + 0.1
    for leaning, plain in across:
        assert leaning < plain - 0.1


def test_one_group_has_no_prior() -> None:
    towers = [Tower(task=task.name, reads="") for task in TASKS]
    assert len(towers) == 4
    space = build("mtnas", TASKS, {"layers": 2, "subnets": 4, "width": 8})
    assert edge_prior(space.graph, (0, 0, 0, 0), strength=2.0) == {}
