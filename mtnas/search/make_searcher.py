"""Searchers by kind, and how to build one from a job's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from mtnas.errors import SpecError
from mtnas.routes import Route
from mtnas.search.evolution import EvolutionSearcher
from mtnas.search.gaussian.gaussian_process import GaussianProcessSearcher
from mtnas.search.nsga2 import Nsga2Searcher
from mtnas.search.random_search import RandomSearcher
from mtnas.search.searcher import SampledSearcher
from mtnas.search.specs.settings_space import SettingsSpace
from mtnas.search.tpe import TpeSearcher
from mtnas.spaces import SearchSpace
from mtnas.tasks import Objective

SEARCHERS: dict[str, type[SampledSearcher]] = {
    "random": RandomSearcher,
    "evolution": EvolutionSearcher,
    "tpe": TpeSearcher,
    "nsga2": Nsga2Searcher,
    "gaussian_process": GaussianProcessSearcher,
}

Option = int | float | bool


def build(
    kind: str,
    options: Mapping[str, Option],
    *,
    space: SearchSpace,
    objectives: tuple[Objective, ...],
    settings: SettingsSpace,
    seed: int,
    known: tuple[Route, ...] = (),
) -> SampledSearcher:
    """The searcher of this kind; ``known`` routes come first, but for random search, which is the yardstick.

    Raises:
        SpecError: no such kind, an option it does not have, or a value the option cannot take.
    """
    defaults = options_of(kind)
    for name, value in options.items():
        if name not in defaults:
            raise SpecError(expected=f"one of {sorted(defaults)}", found=name, where="search")
        default = defaults[name]
        wants = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, wants) or isinstance(value, bool) != isinstance(default, bool):
            raise SpecError(expected=f"a value like {default!r}", found=repr(value), where=f"search.{name}")
    seeds = () if kind == "random" else known
    return SEARCHERS[kind](space=space, objectives=objectives, settings=settings, seed=seed, known=seeds, **options)


def options_of(kind: str) -> dict[str, Option]:
    """A searcher's hyper-parameters with their defaults.

    Raises:
        SpecError: no such kind.
    """
    if kind not in SEARCHERS:
        raise SpecError(expected=f"one of {sorted(SEARCHERS)}", found=kind, where="search.kind")
    shared = {field.name for field in fields(SampledSearcher)}
    own = [field for field in fields(SEARCHERS[kind]) if field.name not in shared]
    return {field.name: field.default for field in own if isinstance(field.default, int | float)}
