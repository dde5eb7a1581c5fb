"""Inputs that several tests of the store share."""

from __future__ import annotations

from mtnas.store import NewRoute, NewTrial, RouteRole, TrialResult
from mtnas.trials import Place, TrialState

GRAPH = {"layers": [{"slots": 4}]}
PLACE = Place(node="node-a", process=4711, device="cuda:0", actor="actor-1")


def new_trial(number: int, *, lr: float = 1e-3, phase: str = "search") -> NewTrial:
    return NewTrial(
        number=number, phase=phase, label="search", candidate={"route": f"route {number}", "settings": {"lr": lr}}
    )


def complete(number: int, **values: float | None) -> TrialResult:
    return TrialResult(number=number, state=TrialState.COMPLETE, values=values, place=PLACE)


def new_route(
    digest: str,
    *,
    rank: int | None = None,
    num_params: int = 10,
    data_digest: str = "data",
    role: RouteRole = RouteRole.SEARCH,
    **values: float | None,
) -> NewRoute:
    return NewRoute(
        digest=digest,
        graph_digest="graph",
        text=f"text of {digest}",
        data_digest=data_digest,
        num_params=num_params,
        macs=2 * num_params,
        role=role,
        label=digest,
        phase="search",
        rank=rank,
        values=values,
    )
