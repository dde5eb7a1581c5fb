"""Expected use against all routes of small graphs, each with its probability."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pytest
import torch

import search_spaces
from mtnas.routes import RouteGraph
from mtnas.spaces import SearchSpace
from mtnas.supernets import Layout, Selection
from mtnas.training.searches.expected_use import ExpectedUse
from tests.training.problem import INPUTS, TASKS

CPU = torch.device("cpu")


def of(name: str, **options: int) -> SearchSpace:
    return search_spaces.build(name, TASKS[:2], options)


def selection(space: SearchSpace, edges: torch.Tensor) -> Selection:
    """With these probabilities of edges ``[K, E]``, and every slot's first block."""
    layout = Layout.of(space.graph)
    blocks = torch.zeros(len(edges), 1, len(layout.blocks))
    for slot in space.graph.slots:
        blocks[:, 0, layout.blocks[slot.name, slot.choices[0].text]] = 1
    nothing = torch.zeros(len(edges), 1, 0)
    return Selection(edges=edges.unsqueeze(1), gates=nothing, queries=nothing, blocks=blocks)


def reached(graph: RouteGraph, on: Mapping[tuple[str, str], bool], task: int) -> set[str]:
    """Slots below a task's tower along edges that are on."""
    junctions, slots = graph.junction_of(), graph.slot_of()
    waiting, found = [graph.towers[task].reads], set[str]()
    while waiting:
        name = waiting.pop()
        for source in junctions[name].sources:
            if source in slots and on[name, source] and source not in found:
                found.add(source)
                waiting.append(slots[source].reads)
    return found


@pytest.mark.parametrize("space", [of("branching", layers=1, subnets=2), of("branching", layers=2, subnets=2)])
def test_the_probability_of_reaching_a_slot_is_that_over_all_routes(space: SearchSpace) -> None:
    """One parent per junction makes trees, for which the figure is exact when edges are drawn one by one."""
    layout = Layout.of(space.graph)
    free = [edge for edge in layout.edges if len(space.graph.junction_of()[edge[0]].edges) > 1]
    torch.manual_seed(0)
    p = torch.ones(1, len(layout.edges))
    p[0, [layout.edges[edge] for edge in free]] = torch.rand(len(free))
    found = ExpectedUse(space.graph, INPUTS, CPU).reach(p)
    expected = torch.zeros_like(found)
    for states in product((False, True), repeat=len(free)):
        on = dict.fromkeys(layout.edges, True) | dict(zip(free, states, strict=True))
        chance = 1.0
        for edge, state in zip(free, states, strict=True):
            q = float(p[0, layout.edges[edge]])
            chance *= q if state else 1 - q
        for task in range(2):
            below = reached(space.graph, on, task)
            for s, slot in enumerate(space.graph.slots):
                expected[0, task, s] += chance * (slot.name in below)
    top = [s for s, slot in enumerate(space.graph.slots) if slot.layer == space.graph.num_layers]
    torch.testing.assert_close(found[..., top], expected[..., top], atol=1e-5, rtol=0)
    assert (found >= expected - 1e-5).all()  # paths that share an edge count as independent: an upper bound


@pytest.mark.parametrize("name", ["gumbel_matrix", "branching", "joint", "mtnas", "adashare"])
def test_everything_on_uses_everything_and_nothing_on_nothing(name: str) -> None:
    space = of(name)
    use = ExpectedUse(space.graph, INPUTS, CPU)
    num_edges = len(Layout.of(space.graph).edges)
    both = selection(space, torch.stack((torch.ones(num_edges), torch.zeros(num_edges))))
    torch.testing.assert_close(use.of_each_task(both), torch.tensor([[1.0, 1.0], [0.0, 0.0]]), atol=1e-4, rtol=0)
    torch.testing.assert_close(use.of_parameters(both)[1], torch.tensor(0.0), atol=1e-4, rtol=0)
    assert use.of_parameters(both)[0] == pytest.approx(1.0, abs=1e-4) or name == "adashare"


@pytest.mark.parametrize("name", ["gumbel_matrix", "branching", "joint"])
def test_more_of_an_edge_never_means_less_use(name: str) -> None:
    space = of(name)
    use = ExpectedUse(space.graph, INPUTS, CPU)
    torch.manual_seed(1)
    p = torch.rand(1, len(Layout.of(space.graph).edges), requires_grad=True)
    for figure in (use.of_each_task(selection(space, p)).sum(), use.of_parameters(selection(space, p)).sum()):
        (slope,) = torch.autograd.grad(figure, p)
        assert slope.isfinite().all()
        assert (slope >= -1e-6).all()
        assert slope.max() > 0


def test_a_component_that_two_tasks_use_counts_once() -> None:
    space = of("gumbel_matrix", layers=1, components=2)
    layout, use = Layout.of(space.graph), ExpectedUse(space.graph, INPUTS, CPU)

    def share(wanted: dict[str, str]) -> float:
        p = torch.zeros(1, len(layout.edges))
        for (junction, source), at in layout.edges.items():
            task = junction.removeprefix("out.").removeprefix("tower.")
            p[0, at] = float(len(space.graph.junction_of()[junction].edges) == 1 or wanted.get(task) == source)
        return float(use.of_parameters(selection(space, p))[0])

    towers = {tower.task: tower.reads for tower in space.graph.towers}
    names = {task: reads.removeprefix("out.").removeprefix("tower.") for task, reads in towers.items()}
    first, second = (space.graph.junction_of()[reads].sources for reads in towers.values())
    tasks = list(names.values())
    together = share({tasks[0]: first[0], tasks[1]: second[0]})
    apart = share({tasks[0]: first[0], tasks[1]: second[1]})
    assert (together, apart) == (pytest.approx(0.5, abs=1e-4), pytest.approx(1.0, abs=1e-4))
