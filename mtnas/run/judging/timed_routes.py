"""The routes of a job whose latency is known, so that each is timed once, and only where somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mtnas.run.judging.latency import Timing
from mtnas.spec import JobSpec
from mtnas.trials import LATENCY, Evaluation, Trial


class TimedRoutes:
    """Latencies by route digest; the first that was measured stays.

    Args:
        spec: says whether latency is asked for, and on how many rows.
    """

    def __init__(self, spec: JobSpec) -> None:
        self._asked, self._rows = spec.asks_latency, spec.protocol.latency_rows
        self._most = spec.constraints.max_latency_us
        self._known: dict[str, float] = {}

    def learn(self, trials: Iterable[Trial]) -> None:
        """Take in what earlier trials have measured."""
        for trial in trials:
            if LATENCY in trial.values:
                self._known.setdefault(trial.route_digest, trial.values[LATENCY])

    def timing(self, digests: Sequence[str]) -> Timing | None:
        """What a pack of these routes is to measure; ``None`` for nothing."""
        places: dict[str, int] = {}
        for place, digest in enumerate(digests):
            if digest not in self._known:
                places.setdefault(digest, place)
        return Timing(rows=self._rows, candidates=tuple(places.values())) if self._asked and places else None

    def costs(self, digest: str, evaluations: Sequence[Evaluation]) -> dict[str, float]:
        """The latency of a trial that has ended, as a cost; nothing where it was not measured."""
        for evaluation in evaluations:
            if LATENCY in evaluation.costs:
                self._known.setdefault(digest, evaluation.costs[LATENCY])
        return {LATENCY: self._known[digest]} if digest in self._known else {}

    def why_infeasible(self, digest: str) -> str | None:
        """How the route breaks the limit; ``None`` if it keeps to it or was not measured."""
        found = self._known.get(digest)
        if self._most is None or found is None or found <= self._most:
            return None
        return f"constraints.max_latency_us: expected at most {self._most:g} for {self._rows} rows, found {found:.1f}"
