"""Named routes: what makes each scheme what it is, and widths that match a number of parameters."""

from __future__ import annotations

import pytest

from mtnas.errors import SpaceError
from mtnas.routes import NAMED_ROUTES, GateKind, InputShape, Tower, cost, reach, task_path
from mtnas.routes.schemes.by_name import Size, matched
from mtnas.spaces import SearchSpace

TOWERS = tuple(Tower(task=task, reads="") for task in ("a", "b", "c"))
INPUTS = InputShape(vocabularies=(30,), embedding_widths=(4,), num_numeric=6)


@pytest.mark.parametrize("name", sorted(NAMED_ROUTES))
def test_named_route_is_a_route_of_its_graph_that_uses_all_of_it(name: str) -> None:
    named = NAMED_ROUTES[name](TOWERS, Size())
    assert named.name == name
    assert SearchSpace(name=name, graph=named.graph).check(named.route) is None
    reached = reach(named.graph, named.route)
    assert reached.slots == {slot.name for slot in named.graph.slots}
    assert reached.junctions == {junction.name for junction in named.graph.junctions}
    assert named.graph.tasks == ("a", "b", "c")


def test_single_task_shares_nothing_but_the_encoder() -> None:
    named = NAMED_ROUTES["single_task"](TOWERS, Size())
    paths = [task_path(named.graph, named.route, task).slots for task in named.graph.tasks]
    assert all(len(path) == 1 for path in paths)
    assert len(frozenset().union(*paths)) == 3
    assert [slot.owner for slot in named.graph.slots] == ["a", "b", "c"]


def test_shared_bottom_shares_everything_below_the_towers() -> None:
    named = NAMED_ROUTES["shared_bottom"](TOWERS, Size())
    assert {task_path(named.graph, named.route, task).slots for task in named.graph.tasks} == {frozenset({"bottom"})}


def test_mmoe_gates_every_expert_by_the_input_for_every_task() -> None:
    named = NAMED_ROUTES["mmoe"](TOWERS, Size(experts=5))
    mixes = named.route.mix_of()
    for task in named.graph.tasks:
        mix = mixes[f"to.{task}"]
        assert (len(mix.inputs), mix.gate, mix.query) == (5, GateKind.SOFTMAX, "input")


def test_full_sharing_mixes_all_of_every_layer() -> None:
    named = NAMED_ROUTES["full_sharing"](TOWERS, Size(layers=3, experts=4))
    assert all(len(mix.inputs) == 4 for name, mix in named.route.mixes if name != "in")
    assert len(named.graph.slots) == 12


@pytest.mark.parametrize("name", sorted(NAMED_ROUTES))
@pytest.mark.parametrize("num_params", [1, 500, 3000, 40_000, 41_234])
def test_matched_width_is_the_nearest_of_all(name: str, num_params: int) -> None:
    size = Size(layers=2, experts=3)

    def params(width: int) -> int:
        named = NAMED_ROUTES[name](TOWERS, Size(layers=2, experts=3, width=width))
        return cost(named.graph, named.route, INPUTS).num_params

    named = matched(name, TOWERS, size, INPUTS, num_params=num_params)
    found = cost(named.graph, named.route, INPUTS).num_params
    nearest = min(abs(params(width) - num_params) for width in range(1, 200))
    assert abs(found - num_params) == nearest


def test_unknown_named_route_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"expected one of .*'mmoe'.*, found moe"):
        matched("moe", TOWERS, Size(), INPUTS, num_params=100)
