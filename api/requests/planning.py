"""Planning a search: everything that can be known about a specification without reading data or loading torch."""

from __future__ import annotations

from typing import Any

import search_spaces
from api.requests.costing import SAMPLED_ROUTES, estimate, expected_inputs, typical_cost
from api.requests.data_checks import KnownData, check_data
from mtnas.data import DataAccess
from mtnas.errors import SpaceError
from mtnas.messages import Plan
from mtnas.routes import RouteGraph
from mtnas.routes.allowance import at_most_choices
from mtnas.routes.widths import least_inputs
from mtnas.search.specs.fitness import check_fitness
from mtnas.spaces import SearchSpace
from mtnas.spec import JobSpec
from mtnas.store import Store


def plan_search(spec: JobSpec, *, store: Store, access: DataAccess) -> Plan:
    """Check a specification against the catalogue, its own constraints and the stored profile; write its space out.

    Raises:
        SpecError, DataError: it can never work; the message says where. Several at once come as ``ExceptionGroup``.
    """
    with at_most_choices(MAX_CHOICES):
        space = expand_space(spec)
    effort = _effort(space)
    if effort <= MAX_EFFORT:
        check_constraints(space)
    check_fitness(spec.search, space)
    data = check_data(spec.data, tuple(task.to_task() for task in spec.tasks), store=store, access=access)
    return Plan(
        spec=_written_out(spec, space),
        space_size=space.size_text(),
        route_cost=typical_cost(space, expected_inputs(spec, data), seed=spec.seed) if effort <= MAX_EFFORT else None,
        estimate=estimate(spec, data),
        warnings=(*data.warnings, *_doubts(spec, data), *([_TOO_LARGE] if effort > MAX_EFFORT else [])),
    )


def written_out(spec: JobSpec) -> dict[str, Any]:
    """The specification as a job keeps it: self-contained, with the space written out and its limits added.

    Raises:
        SpecError: no such space, or one that is too large.
    """
    with at_most_choices(MAX_CHOICES):
        return _written_out(spec, expand_space(spec))


def _written_out(spec: JobSpec, space: SearchSpace) -> dict[str, Any]:
    changes = {"space": spec.space.model_copy(update={"graph": space.graph.to_json()})}
    stored = spec.model_copy(update=changes | {"constraints": spec.constraints.with_space(space.constraints)})
    return stored.model_dump(mode="json")


MAX_CHOICES = 20_000
"""Edges and blocks of a space that a request may ask for; a graph of so many takes some seconds to make."""
MAX_EFFORT = 2_000_000
"""Edges looked at while a plan measures routes; about four seconds."""
_TOO_LARGE = "the space is too large to foresee: its limits are checked, and its routes measured, by the job alone"


def _effort(space: SearchSpace) -> int:
    """Edges that are looked at to find the cheapest route, where limits ask for it, and to measure some others.

    The cheapest is found by trying every other choice, once at least, and each is measured as a whole.
    """
    edges = sum(len(junction.edges) for junction in space.graph.junctions)
    others = sum(len(j.gates) * max(1, len(j.queries)) for j in space.graph.junctions)
    others += sum(len(slot.choices) for slot in space.graph.slots)
    limited = space.constraints.max_params is not None or space.constraints.max_macs is not None
    return edges * (SAMPLED_ROUTES + (others if limited else 0))


def expand_space(spec: JobSpec) -> SearchSpace:
    """The whole space: the catalogue's by name with its own limits, or the inline graph; the job's limits hold too.

    Raises:
        SpaceError: no such space or option, or a graph whose towers are not the tasks.
    """
    tasks = tuple(task.to_task() for task in spec.tasks)
    limits = spec.constraints.of_routes
    if spec.base is not None:
        return SearchSpace(name=spec.space.name, graph=spec.base.graph_with(tasks), constraints=limits)
    if spec.space.graph is None:
        built = search_spaces.build(spec.space.name, tasks, spec.space.options)
        return SearchSpace(name=built.name, graph=built.graph, constraints=built.constraints.and_also(limits))
    graph = RouteGraph.from_json(spec.space.graph)
    wanted = [(task.name, task.tower, task.num_outputs) for task in tasks]
    found = [(tower.task, tower.hidden, tower.outputs) for tower in graph.towers]
    if wanted != found:
        raise SpaceError(expected=f"towers {wanted} as the tasks say", found=str(found), where="space.graph")
    return SearchSpace(name=spec.space.name, graph=graph, constraints=limits)


def check_constraints(space: SearchSpace) -> None:
    """Refuse limits that not even the cheapest route keeps to, were there no inputs at all.

    Raises:
        SpaceError: which limit is impossible.
    """
    limits = space.constraints
    if limits.max_params is None and limits.max_macs is None:
        return
    least = SearchSpace(name=space.name, graph=space.graph, inputs=least_inputs(space.graph)).cost(space.cheapest())
    for name, limit, found in (
        ("max_params", limits.max_params, least.num_params),
        ("max_macs", limits.max_macs, least.macs),
    ):
        if limit is not None and found > limit:
            raise SpaceError(
                expected=f"at least {found}, what the cheapest route takes without inputs",
                found=str(limit),
                where=f"constraints.{name}",
            )


def _doubts(spec: JobSpec, data: KnownData) -> tuple[str, ...]:
    doubts = []
    if data.profile is None:
        doubts.append("the data is not profiled: the cost of a route leaves embedding tables out")
    if spec.protocol.level == "quick":
        doubts.append("protocol.level 'quick' compares few seeds and gives no verdict")
    clocks = [name for name in ("device_seconds", "deadline_s") if getattr(spec.budget, name) is not None]
    doubts += [f"budget.{name} makes the job's answer depend on the machine's speed" for name in clocks]
    if spec.asks_latency:
        doubts.append("latency_us is measured: the answer depends on the machine, and varies from run to run")
    return tuple(doubts)
