"""The routes of a job's answer as rows: what was searched, what was retrained, and the ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtnas.run.context import Context
from mtnas.run.journal import RouteRow
from mtnas.run.phases.ensemble import Ensemble
from mtnas.run.phases.ensemble_row import ENSEMBLE, heaviest_of, members_facts
from mtnas.run.phases.retrain import Entrant
from mtnas.run.phases.search import best_first
from mtnas.trials import LATENCY


def write_routes(
    context: Context,
    entrants: Sequence[Entrant],
    rows: Sequence[dict[str, Any]],
    winner: Entrant,
    together: Ensemble | None,
) -> None:
    """Write everything that has a route; ``rows`` are those of the report, the entrants' first."""
    journal, digest = context.journal, context.data.digest
    journal.add_graphs({entrant.graph.digest: entrant.graph.to_json() for entrant in entrants})
    searched: dict[str, dict[str, float]] = {}
    # A route that was tried several times is told of by its best trial, as its row was when the trial ended.
    for trial in reversed(best_first(context, [trial for trial in journal.trials() if trial.phase == "search"])):
        searched[trial.route_digest] = {f"search.{name}": value for name, value in trial.values.items()}
    answer = {}
    rank = 0
    for entrant, row in zip(entrants, rows, strict=False):  # the other rows are no routes
        rank += entrant.role == "finalist"
        values = _answer_values(row)
        values |= {} if row["latency_us"] is None else {LATENCY: row["latency_us"]}
        if entrant.digest in searched:
            values |= searched[entrant.digest]
        answer[entrant.digest] = RouteRow(
            digest=entrant.digest,
            graph_digest=entrant.graph.digest,
            text=entrant.route.text,
            num_params=row["num_params"],
            macs=row["macs"],
            role="best" if entrant is winner else entrant.role,
            label=entrant.label,
            phase="retrain",
            values=values,
            rank=rank if entrant.role == "finalist" else None,
            details={
                "lr": entrant.tuned.lr,
                "settings": row["settings"],
                "seeds": row["seeds"],
                "weights_of_trial": best_trial(context, entrant),
            },
        )
    if together is not None:
        answer[together.mixed.digest] = _ensemble_route(entrants, winner, together, rows[-1])
    journal.add_routes(list(answer.values()), data_digest=digest)


def _ensemble_route(
    entrants: Sequence[Entrant], winner: Entrant, together: Ensemble, row: Mapping[str, Any]
) -> RouteRow:
    """The ensemble among the routes: its text and drawing are those of its heaviest network."""
    heaviest = heaviest_of(together.mixed, entrants, otherwise=winner)
    return RouteRow(
        digest=together.mixed.digest,
        graph_digest=heaviest.graph.digest,
        text=heaviest.route.text,
        num_params=row["num_params"],
        macs=row["macs"],
        role="ensemble",
        label=ENSEMBLE,
        phase="ensemble",
        values=_answer_values(row),
        details={"members": members_facts(entrants, together.mixed)},
    )


def _answer_values(row: Mapping[str, Any]) -> dict[str, float | None]:
    values = {f"test.{task}.{cells['metric']}": cells["test"]["mean"] for task, cells in row["per_task"].items()}
    values |= {"mean_gain": row["mean_gain"]["mean"], "worst_gain": row["worst_gain"]["mean"]}
    return values | {"valid_score": row["valid_score"]}


def best_trial(context: Context, entrant: Entrant) -> int | None:
    """Number of the seed that is best on ``valid``: the one whose weights are exported."""
    return max(entrant.complete, key=context.valid_score).number if entrant.complete else None
