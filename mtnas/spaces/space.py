"""The SearchSpace: which routes are legal, drawing them at random, listing and counting them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, combinations, product
from math import comb, prod
from typing import Any, Literal

import numpy as np

from mtnas.errors import SpaceError
from mtnas.routes import Cost, InputShape, Mix, Route, RouteGraph, canonical_route, cost, reach
from mtnas.routes.nodes import NO_QUERY, EdgeState, GateKind, Junction
from mtnas.routes.widths import least_inputs
from mtnas.spaces.cheapest import cheapest_route
from mtnas.spaces.constraints import NO_LIMITS, Constraints

LARGEST_EXACT = 10**15
SAMPLE_ATTEMPTS = 2000
ATTEMPTS_BEFORE_DOUBT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """A route graph plus constraints.

    Attributes:
        name: the scheme, for people.
        graph: every node and edge a route may use.
        constraints: limits on top of the graph's own.
        inputs: shape of the data's inputs; needed where a limit counts parameters or products.

    Raises:
        SpaceError: a junction needs more inputs than ``max_in_degree`` allows.
    """

    name: str
    graph: RouteGraph
    constraints: Constraints = NO_LIMITS
    inputs: InputShape | None = None

    def __post_init__(self) -> None:
        limit = self.constraints.max_in_degree
        for junction in self.graph.junctions if limit is not None else ():
            least = max(junction.min_inputs, sum(edge.required for edge in junction.edges))
            if limit is not None and least > limit:
                raise SpaceError(
                    expected=f"at least {least}, which junction {junction.name} needs",
                    found=str(limit),
                    where="constraints.max_in_degree",
                )

    def check(self, route: Route) -> str | None:
        """Why the route is not in the space, or None when it is."""
        return self._check_wiring(route) or self._check_cost(route)

    def keeps_wiring(self, route: Route) -> bool:
        """Whether the route is in the space but for limits on cost."""
        return self._check_wiring(route) is None

    def excess(self, route: Route) -> float:
        """How far the route's cost lies above the limits, in parts of each; 0 within them."""
        return self._excess(self.cost(route))

    def _check_wiring(self, route: Route) -> str | None:
        try:
            reach(self.graph, route)
        except SpaceError as error:
            return str(error)
        junctions, slots = self.graph.junction_of(), self.graph.slot_of()
        for name, mix in route.mixes:
            if name not in junctions:
                return f"route: expected one of the junctions {sorted(junctions)}, found {name}"
            reason = _check_mix(junctions[name], mix, self.most_inputs(junctions[name]))
            if reason is not None:
                return f"junction {name}: {reason}"
        blocks = route.block_of()
        for name, block in blocks.items():
            if name not in slots or block not in slots[name].choices:
                allowed = [choice.text for choice in slots[name].choices] if name in slots else []
                return f"slot {name}: expected one of {allowed}, found {block.text}"
        return None

    def contains(self, route: Route) -> bool:
        """Whether the route is in the space."""
        return self.check(route) is None

    def cost(self, route: Route) -> Cost:
        """Cost of a route for the space's inputs.

        Raises:
            SpaceError: the space does not know the shape of its inputs yet.
        """
        if self.inputs is None:
            raise SpaceError(expected="a space with known inputs", found="none", where=f"space {self.name!r}")
        return cost(self.graph, route, self.inputs)

    def sample(self, rng: np.random.Generator) -> Route:
        """A route, uniform over the choices of each junction and slot, until one keeps to the constraints.

        Raises:
            SpaceError: the constraints leave (almost) nothing.
        """
        for attempt in range(SAMPLE_ATTEMPTS):
            if attempt == ATTEMPTS_BEFORE_DOUBT:
                self._cheapest_within_limits()
            mixes = {junction.name: self.sample_mix(junction, rng) for junction in self.graph.junctions}
            blocks = {slot.name: slot.choices[int(rng.integers(len(slot.choices)))] for slot in self.graph.slots}
            route = Route.of(mixes, blocks)
            if self._check_cost(route) is None:
                return route
        return self._cheapest_within_limits()

    def sample_mix(self, junction: Junction, rng: np.random.Generator) -> Mix:
        """One junction's choice, uniform over its active sets and over gates and queries."""
        required = [edge.source for edge in junction.edges if edge.required]
        optional = [edge.source for edge in junction.edges if not edge.required]
        sizes = [k for k in range(len(optional) + 1) if self._size_allowed(junction, k + len(required))]
        weights = np.array([comb(len(optional), k) for k in sizes], dtype=float)
        count = int(rng.choice(sizes, p=weights / weights.sum()))
        chosen = {*required, *rng.permutation(optional)[:count].tolist()} if optional else set(required)
        states = {
            edge.source: edge.states[int(rng.integers(len(edge.states)))]
            for edge in junction.edges
            if edge.source in chosen
        }
        gates = [gate for gate in junction.gates if gate is not GateKind.PASS or len(junction.gates) == 1]
        gate = gates[int(rng.integers(len(gates)))]
        query = junction.queries[int(rng.integers(len(junction.queries)))] if junction.queries else None
        return Mix.of(junction, states, gate=gate, query=query)

    def most_inputs(self, junction: Junction) -> int:
        """The most active edges a route may have at this junction, the space's own limit included."""
        limit = self.constraints.max_in_degree
        return junction.most_inputs if limit is None else min(limit, junction.most_inputs)

    def mixes(self, junction: Junction) -> Iterator[Mix]:
        """Every choice a junction has, each once."""
        required = {edge.source for edge in junction.edges if edge.required}
        sizes = range(junction.min_inputs, self.most_inputs(junction) + 1)
        subsets = chain.from_iterable(combinations(junction.edges, size) for size in sizes)
        for edges in subsets:
            if not required <= {edge.source for edge in edges}:
                continue
            for states in product(*(edge.states for edge in edges)):
                chosen = {edge.source: state for edge, state in zip(edges, states, strict=True)}
                yield from (
                    Mix.of(junction, chosen, gate=gate, query=query) for gate, query in _manners(junction, len(edges))
                )

    def enumerate(self) -> Iterator[Route]:
        """Every architecture of the space once, in canonical spelling; for small spaces only."""
        junctions, slots = self.graph.junctions, self.graph.slots
        seen: set[str] = set()
        for mixes in product(*(tuple(self.mixes(junction)) for junction in junctions)):
            for blocks in product(*(slot.choices for slot in slots)):
                route = Route.of(
                    {junction.name: mix for junction, mix in zip(junctions, mixes, strict=True)},
                    {slot.name: block for slot, block in zip(slots, blocks, strict=True)},
                )
                canonical = canonical_route(self.graph, route)
                if canonical.text not in seen and self._check_cost(canonical) is None:
                    seen.add(canonical.text)
                    yield canonical

    def size(self) -> int:
        """Number of combinations of choices, before constraints on cost and before merging equal architectures."""
        mixes = prod(self._num_mixes(junction) for junction in self.graph.junctions)
        return mixes * prod(len(slot.choices) for slot in self.graph.slots)

    def size_text(self) -> str:
        """The size for people: exact while one can read it. Python refuses to write more than 4300 digits."""
        size = self.size()
        return str(size) if size < LARGEST_EXACT else f"{Decimal(size):.3e}"

    def cheapest(self, *, by: Literal["num_params", "macs"] = "num_params") -> Route:
        """A route of least cost, constraints on cost aside; see ``mtnas.spaces.cheapest`` for how far it is exact."""
        return cheapest_route(self.graph, self.inputs or least_inputs(self.graph), lambda found: getattr(found, by))

    def to_json(self) -> dict[str, Any]:
        """The space as plain data, self-contained."""
        limits = {
            "max_params": self.constraints.max_params,
            "max_macs": self.constraints.max_macs,
            "max_in_degree": self.constraints.max_in_degree,
        }
        return {"name": self.name, "graph": self.graph.to_json(), "constraints": limits}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> SearchSpace:
        """Read plain data back.

        Raises:
            SpaceError: not a space.
        """
        try:
            graph, limits = RouteGraph.from_json(data["graph"]), Constraints(**data.get("constraints", {}))
            return SearchSpace(name=str(data["name"]), graph=graph, constraints=limits)
        except SpaceError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SpaceError(expected="name, graph and constraints", found=repr(error), where="space") from error

    def _size_allowed(self, junction: Junction, size: int) -> bool:
        return junction.min_inputs <= size <= self.most_inputs(junction)

    def _num_mixes(self, junction: Junction) -> int:
        """Sets of each size, times the states of their edges, times the manners of mixing them."""
        of_size = [1]
        for edge in junction.edges:
            with_edge = [0, *(len(edge.states) * count for count in of_size)]
            without = [0 if edge.required else count for count in (*of_size, 0)]
            of_size = [a + b for a, b in zip(with_edge, without, strict=True)]
        sizes = range(junction.min_inputs, self.most_inputs(junction) + 1)
        return sum(of_size[size] * len(_manners(junction, size)) for size in sizes)

    def _cheapest_within_limits(self) -> Route:
        cheapest = cheapest_route(self.graph, self.inputs or least_inputs(self.graph), self._excess)
        reason = self._check_cost(cheapest)
        if reason is not None:
            raise SpaceError(
                expected="constraints that some route keeps to",
                found=f"no random route that does, and the cheapest one breaks them too ({reason})",
                where="constraints",
            )
        return cheapest

    def _excess(self, found: Cost) -> float:
        """How far a cost lies above the limits, in parts of each."""
        limits = ((found.num_params, self.constraints.max_params), (found.macs, self.constraints.max_macs))
        return sum(max(0.0, value / limit - 1) for value, limit in limits if limit is not None)

    def _check_cost(self, route: Route) -> str | None:
        limits = self.constraints
        if self.inputs is None or (limits.max_params is None and limits.max_macs is None):
            return None
        found = cost(self.graph, route, self.inputs)
        if limits.max_params is not None and found.num_params > limits.max_params:
            return f"expected at most {limits.max_params} parameters, found {found.num_params}"
        if limits.max_macs is not None and found.macs > limits.max_macs:
            return f"expected at most {limits.max_macs} multiply-accumulates, found {found.macs}"
        return None


def _manners(junction: Junction, fan_in: int) -> list[tuple[GateKind, str]]:
    """The distinct ways to mix this many inputs."""
    if fan_in == 1:
        return [(GateKind.PASS, NO_QUERY)]
    gates = [gate for gate in junction.gates if gate is not GateKind.PASS]
    return [(gate, query) for gate in gates for query in (junction.queries if gate.takes_query else (NO_QUERY,))]


def _check_mix(junction: Junction, mix: Mix, in_degree: int) -> str | None:
    edges = {edge.source: edge for edge in junction.edges}
    unknown = [source for source in mix.inputs if source not in edges]
    if unknown:
        return f"expected inputs among {list(edges)}, found {unknown}"
    if not junction.min_inputs <= len(mix.inputs) <= in_degree:
        return f"expected {junction.min_inputs} to {in_degree} inputs, found {len(mix.inputs)}"
    missing = [source for source, edge in edges.items() if edge.required and source not in mix.inputs]
    if missing:
        return f"expected the required inputs {missing}, found {list(mix.inputs)}"
    for source in mix.inputs:
        state = EdgeState.FORWARD_ONLY if source in mix.forward_only else EdgeState.ON
        if state not in edges[source].states:
            return f"expected {source} in a state of {[str(s) for s in edges[source].states]}, found {state}"
    if len(mix.inputs) > 1 and mix.gate not in junction.gates:
        return f"expected a gate of {[str(gate) for gate in junction.gates]}, found {mix.gate}"
    if mix.gate.takes_query and mix.query not in junction.queries:
        return f"expected a query of {list(junction.queries)}, found {mix.query}"
    return None
