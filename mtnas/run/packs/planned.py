"""Trials before they run: which candidate, for what, under which orders; and the names of their packs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from mtnas.routes import RouteGraph, canonical_route, route_digest, shape_graph
from mtnas.trials import Candidate, Evaluation, Trial, TrialState

Values = Callable[[Sequence[Evaluation]], Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A trial before it runs: a candidate of a graph, and what it is for."""

    number: int
    phase: str
    label: str
    graph: RouteGraph
    candidate: Candidate

    @property
    def shape(self) -> RouteGraph:
        """What candidates of one pack have in common."""
        return shape_graph(self.graph, self.candidate.route)

    def running(self) -> Trial:
        """The trial as it is written down before it runs."""
        return Trial(
            number=self.number,
            phase=self.phase,
            label=self.label,
            candidate=self.candidate,
            state=TrialState.RUNNING,
            graph_digest=self.graph.digest,
            route_digest=route_digest(self.graph, self.candidate.route),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """How trials are trained and looked at.

    Attributes:
        parts: rows to train on.
        evaluate_on: parts to evaluate on.
        values: figures of a trial from its evaluations.
        keep_weights: whose weights to keep.
        as_member: who may become a member of an ensemble: its weights and its outputs are kept.
        stop_at: moment (seconds since 1970) at which trials that are not trained by then are cut off.
    """

    parts: tuple[str, ...]
    evaluate_on: tuple[str, ...]
    values: Values
    keep_weights: Callable[[Planned], bool] = lambda _: False
    as_member: Callable[[Planned], bool] = lambda _: False
    stop_at: float | None = None


def plan(first: int, phase: str, wanted: Sequence[tuple[str, RouteGraph, Candidate]]) -> list[Planned]:
    """Number candidates from ``first`` on; routes are put into canonical spelling."""
    return [
        Planned(
            number=first + offset,
            phase=phase,
            label=label,
            graph=graph,
            candidate=replace(candidate, route=canonical_route(graph, candidate.route)),
        )
        for offset, (label, graph, candidate) in enumerate(wanted)
    ]


def pack_key(members: Sequence[Planned], until: int | None = None) -> str:
    """The name of a pack within the job, and of its checkpoint: it tells apart packs of different members.

    ``search/12+4`` are trials 12 to 15; numbers with gaps add a digest; ``@`` is the step of a rung.
    """
    numbers = [member.number for member in members]
    name = f"{members[0].phase}/{numbers[0]}+{len(numbers)}"
    if numbers[-1] - numbers[0] >= len(numbers):
        name += f"~{blake2b(repr(numbers).encode(), digest_size=4).hexdigest()}"
    return name + ("" if until is None else f"@{until}")
