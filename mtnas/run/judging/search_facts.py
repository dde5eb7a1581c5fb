"""What the report says of a search: its cost and end, how far it moved, and how well its scores foretold later ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from mtnas.routes.schemes.by_name import MATCHED
from mtnas.run.context import Context
from mtnas.run.judging.statistics import kendall_tau
from mtnas.run.phases.independent import num_routes
from mtnas.run.phases.retrain import Entrant, Retrained
from mtnas.run.phases.search import Found, best_first, is_random
from mtnas.search.known_schemes import known_schemes
from mtnas.trials import TrialState


def search_facts(context: Context, found: Found, trained: Retrained) -> dict[str, Any]:
    """Plain data. Costs are of one search, on average over independent ones.

    ``kendall_tau``: of scores during the search against scores on ``valid`` after retraining, over all ``kendall_n``
    routes that were retrained and have both, random search's included. ``inherited_tau``: of inherited weights against
    the same routes trained alone, over ``inherited_n``. ``unmatched``: baselines of another size than the finalist.
    """
    entrants, count = trained.entrants, context.spec.protocol.num_searches
    metric = context.spec.objectives[0].metric
    sign = context.spec.objectives[0].to_objective().signed
    searched = [trial for trial in context.journal.trials() if trial.phase == "search"]
    trials = [trial for trial in searched if not is_random(trial.label)]
    at_search = {t.route_digest: sign(t.values.get(metric, math.nan)) for t in reversed(best_first(context, searched))}
    later = _defined([(at_search[e.digest], e.valid_score(context)) for e in entrants if e.digest in at_search])
    inherited = {t.route_digest: t for t in reversed(best_first(context, trials)) if "weights" in t.notes}
    alone = [
        (sign(inherited[t.route_digest].values.get(metric, math.nan)), sign(t.values.get(metric, math.nan)))
        for t in trials
        if "weights" not in t.notes and t.route_digest in inherited and t.state is TrialState.COMPLETE
    ]
    screened = _defined(alone)
    return {
        **{name: cost / count for name, cost in found.cost.items()},
        "searches": count,
        "routes_found": None if trained.searches is None else num_routes(context, trained.searches.trials),
        "multiple_of_shared_bottom": _multiple(found.cost["device_seconds"] / count, entrants),
        "stop": found.stop.to_json(),
        "random_stop": None if found.random_stop is None else found.random_stop.to_json(),
        "extends": None if context.earlier is None else context.earlier.job_id,
        "trials": len(trials),
        "failed": sum(trial.state is TrialState.FAILED for trial in trials),
        "infeasible": sum(trial.is_infeasible for trial in trials),
        "space_size": context.space.size_text(),
        "experimental": getattr(context.spec.search, "EXPERIMENTAL", False),
        "moved": found.moved,
        "known_schemes": list(known_schemes(context.space)),
        "kendall_tau": kendall_tau([a for a, _ in later], [b for _, b in later]),
        "kendall_n": len(later),
        "inherited_tau": kendall_tau([a for a, _ in screened], [b for _, b in screened]),
        "inherited_n": len(screened),
        "unmatched": _unmatched(context, found, entrants),
    }


def _multiple(seconds: float, entrants: Sequence[Entrant]) -> float | None:
    """Device-seconds in trainings of one shared-bottom network."""
    shared = next((entrant for entrant in entrants if entrant.label == "shared_bottom"), None)
    if shared is None or not shared.complete:
        return None
    one = fmean(trial.evaluations[0].costs["device_seconds"] for trial in shared.complete)
    return seconds / one if one else None


def _unmatched(context: Context, found: Found, entrants: Sequence[Entrant]) -> dict[str, float]:
    """Baselines that no width brings near the first finalist's parameters, with their share of them.

    Where tables dominate, or networks are narrow, a comparison at equal size is not to be had.
    """
    wanted = context.space.cost(found.finalists[0].route).num_params
    named = [entrant for entrant in entrants if entrant.role == "baseline" and not is_random(entrant.label)]
    shares = {entrant.label: context.cost(entrant.graph, entrant.route).num_params / wanted for entrant in named}
    return {label: share for label, share in shares.items() if abs(share - 1) > MATCHED}


def _defined(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(a, b) for a, b in pairs if math.isfinite(a) and math.isfinite(b)]
