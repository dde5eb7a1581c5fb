"""Tree-structured Parzen estimator: Optuna's sampler on a study rebuilt from the trials. The one file with Optuna."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtnas.search.history import History, worst_for_failed
from mtnas.search.proposals import Proposals
from mtnas.search.route_parameters import parameters, route_of, table
from mtnas.search.searcher import SampledSearcher, check_least
from mtnas.search.specs.settings_space import Choice

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

SETTING = "setting "


@dataclass(frozen=True, slots=True, kw_only=True)
class TpeSearcher(SampledSearcher):
    """TPE (Bergstra et al., 2011; multivariate, Falkner et al., 2018; several objectives, Ozaki et al., 2022).

    Every ask builds an in-memory study from the trials (Optuna's own storage is no truth of ours, and took 60 times as
    long) and asks it ``n`` times; running trials and earlier answers are pending, so that answers spread out
    (constant liar). Failed trials are told with the worst value of each objective. An answer that was tried before
    gives way to a mutation of it.

    Attributes:
        startup: finished trials before the model is used; until then candidates are random.
        candidates: draws among which the best ratio of densities wins; more of them press harder.
        multivariate: whether parameters are modelled together or each alone.
    """

    startup: int = 16
    candidates: int = 24
    multivariate: bool = True

    def check(self) -> None:
        """See ``SampledSearcher.check``."""
        check_least("startup", self.startup, 1)
        check_least("candidates", self.candidates, 1)

    def propose(self, history: History, proposals: Proposals, rng: np.random.Generator) -> None:
        """Offer what the sampler suggests, once there are trials to learn from."""
        if len(history.finished) < self.startup or not np.isfinite(history.values).any():
            return
        with _quiet():
            distributions = self._distributions()
            study = self._study(history, distributions, seed=int(rng.integers(2**31)))
            for _ in range(proposals.wanted):
                values = study.ask(distributions).params
                route = route_of(self.space, {name: str(value) for name, value in values.items()}, rng)
                settings = self.settings.of(tuple(float(values[SETTING + part.name]) for part in self.settings.parts))
                proposals.offer_near(route, settings, rng)

    def _distributions(self) -> dict[str, BaseDistribution]:
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        class Shared(CategoricalDistribution):
            """One object in all trials, each of which Optuna copies and compares: a third of the time of an ask."""

            def __deepcopy__(self, _: dict[int, object]) -> Shared:
                return self

            def __eq__(self, other: object) -> bool:
                return self is other or super().__eq__(other)

            __hash__ = CategoricalDistribution.__hash__

        found: dict[str, BaseDistribution] = {name: Shared(values) for name, values in parameters(self.space).items()}
        for part in self.settings.parts:
            found[SETTING + part.name] = (
                CategoricalDistribution(part.values)
                if isinstance(part, Choice)
                else FloatDistribution(part.low, part.high, log=True)
            )
        return found

    def _study(self, history: History, distributions: dict[str, BaseDistribution], *, seed: int) -> Study:
        import optuna

        sampler = optuna.samplers.TPESampler(
            n_startup_trials=1, n_ei_candidates=self.candidates, multivariate=self.multivariate, seed=seed
        )
        study = optuna.create_study(directions=["maximize"] * len(self.objectives), sampler=sampler)
        like = history.finished[history.best_first()[0]].route
        candidates = (*history.finished, *history.running)
        rows = table(self.space, [candidate.route for candidate in candidates], like=like)
        told = [*worst_for_failed(history.values).tolist(), *([None] * len(history.running))]
        for row, candidate, values in zip(rows, candidates, told, strict=True):
            settings = zip(self.settings.parts, self.settings.values(candidate.settings), strict=True)
            study.add_trial(
                optuna.trial.create_trial(
                    state=optuna.trial.TrialState.RUNNING if values is None else optuna.trial.TrialState.COMPLETE,
                    values=values,
                    params={**row, **{SETTING + part.name: value for part, value in settings}},
                    distributions=distributions,
                )
            )
        return study


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from announcing our studies in its log, in this thread only: a user's own studies still speak."""
    logger = logging.getLogger("optuna.storages._in_memory")
    thread = threading.get_ident()

    def speaks(record: logging.LogRecord) -> bool:
        return record.thread != thread or record.levelno >= logging.WARNING

    logger.addFilter(speaks)
    try:
        yield
    finally:
        logger.removeFilter(speaks)
