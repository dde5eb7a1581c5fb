"""What the report says of a search: its cost and end, how far it moved, and how well its scores foretold later ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mtnas.routes.schemes.by_name import MATCHED
from mtnas.run.context import Context
from mtnas.run.judging.statistics import kendall_tau
from mtnas.run.phases.retrain import Entrant
from mtnas.run.phases.search import Found, best_first, is_random
from mtnas.search.known_schemes import known_schemes
from mtnas.trials import TrialState


def search_facts(context: Context, found: Found, entrants: Sequence[Entrant]) -> dict[str, Any]:
    """Plain data.

    ``kendall_tau``: of scores during the search against scores on ``valid`` after retraining, over all ``kendall_n``
    routes that were retrained and have both, random search's included. ``inherited_tau``: of inherited weights against
    the same routes trained alone, over ``inherited_n``. ``unmatched``: baselines of another size than the finalist.
    """
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
        **found.cost,
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
