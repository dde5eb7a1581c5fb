"""Routes of a search as rows, from the moment that their trials end: a job that ends badly has not searched in vain."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mtnas.run.journal import Journal, RouteRow
from mtnas.tasks import Objective
from mtnas.trials import Trial, TrialState

Rank = tuple[int, float]


def rank_by(trial: Trial, objective: Objective) -> Rank:
    """Sorts complete trials of a search by the objective: those that were trained alone, then those that were not.

    Of the latter, what a search derived comes first: inherited figures rank routes poorly.
    """
    value = trial.values.get(objective.metric, math.nan)
    inherits = trial.notes.get("weights") == "inherited"
    order = 0 if not inherits else 1 if trial.label == "derived" else 2
    return order, math.inf if math.isnan(value) else -objective.signed(value)


def searched_row(trial: Trial) -> RouteRow:
    """What a search knows of a route by one trial."""
    return RouteRow(
        digest=trial.route_digest,
        graph_digest=trial.graph_digest,
        text=trial.candidate.route.text,
        num_params=int(trial.values["num_params"]),
        macs=int(trial.values["macs"]),
        role="search",
        label=trial.label,
        phase="search",
        values={f"search.{name}": value for name, value in trial.values.items()},
        details={"settings": trial.candidate.settings.without_seeds()},
    )


class FoundRoutes:
    """Tells the journal of routes; one that was tried several times by its best trial.

    Args:
        objective: by which trials compare.
        data_digest: of the data that their figures are about.
    """

    def __init__(self, *, objective: Objective, data_digest: str) -> None:
        self._objective, self._data_digest = objective, data_digest
        self._best: dict[str, Rank] | None = None

    def tell(self, journal: Journal, ended: Sequence[Trial]) -> None:
        """Write down the routes of trials that have ended, and once those of earlier attempts, which may have died."""
        trials = list(ended)
        if self._best is None:
            self._best, trials = {}, [*journal.trials(), *ended]
        rows: dict[str, RouteRow] = {}
        for trial in trials:
            if trial.phase != "search" or trial.state is not TrialState.COMPLETE:
                continue
            rank = rank_by(trial, self._objective)
            if rank < self._best.get(trial.route_digest, (2, math.inf)) or trial.route_digest not in self._best:
                self._best[trial.route_digest] = rank
                rows[trial.route_digest] = searched_row(trial)
        if rows:
            journal.add_routes(list(rows.values()), data_digest=self._data_digest)
