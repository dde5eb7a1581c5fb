"""Components of tied slots: one set of numbers, used by exactly the tasks that can reach one of its slots."""

from __future__ import annotations

import pytest

from mtnas.routes import Block, BlockKind, InputShape, Mix, Route, RouteGraph, Tower, task_path
from mtnas.routes.building.streams import Manner, levels_of, stream_graph
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Supernet
from mtnas.training.step.components import components, shared_mask
from mtnas.training.step.flat import FlatParameters

TASKS = ("a", "b", "c")
INPUTS = InputShape(num_numeric=4)
BLOCK = Block(kind=BlockKind.MLP, widths=(4,))


def streams(*, pool: bool) -> tuple[RouteGraph, Route]:
    """Two levels of two components; in the first, a and b use component 0 alone, c component 1 alone."""
    towers = tuple(Tower(task=task, reads="", hidden=()) for task in TASKS)
    graph = stream_graph(towers, levels_of([((BLOCK,),) * 2] * 2, pool=pool), Manner())
    readers = {slot.name: slot.reads for slot in graph.slots}
    route = full_route(graph)
    first = {readers["s2.0.a"]: "s1.0.a", readers["s2.0.b"]: "s1.0.b", readers["s2.0.c"]: "s1.1.c"}
    last = {"to.a": "s2.0.a", "to.b": "s2.0.b", "to.c": "s2.0.c"}
    mixes = {junction: Mix(inputs=(source,)) for junction, source in (first | last).items()}
    return graph, route.replace(mixes=mixes)


@pytest.mark.parametrize("pool", [False, True])
def test_tied_weights_belong_to_the_tasks_that_reach_one_of_their_slots(*, pool: bool) -> None:
    graph, route = streams(pool=pool)
    net = Supernet(graph, INPUTS, [0])
    flat = FlatParameters(net)
    parts = components(net, flat)
    assert sum(end - begin for part in parts for begin, end in part.ranges) == flat.num_params
    assert not [part for part in parts if part.kind == "other"]
    paths = {task: task_path(graph, route, task) for task in TASKS}
    users = {part.name: part.users(TASKS, paths) for part in parts if part.kind == "slot"}
    one, other = sorted({slot.weights_of for slot in graph.slots if slot.name in ("s1.0.a", "s1.1.c")})
    assert len(users) == (2 if pool else 4)
    assert users[one] == (("a", "b", "c") if pool else ("a", "b"))  # in a pool c comes by in the second level
    assert users[other] == ("c",)
    mask = shared_mask(net, flat, [route])[0]
    alone = next(part for part in parts if part.name == other)
    assert not any(mask[begin:end].any() for begin, end in alone.ranges)
