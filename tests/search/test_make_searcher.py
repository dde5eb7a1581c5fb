"""Searchers are built by kind, and wrong options are refused with the place."""

from __future__ import annotations

import pytest

from mtnas.errors import SpecError
from mtnas.search import SEARCHERS, EvolutionSearcher, build, options_of
from mtnas.search.searcher import SampledSearcher
from tests.search.planted import GAIN, GRID, alike


def searcher(kind: str, options: dict[str, int | float | bool]) -> SampledSearcher:
    return build(kind, options, space=alike(), objectives=(GAIN,), settings=GRID, seed=5)


@pytest.mark.parametrize("kind", sorted(SEARCHERS))
def test_every_kind_is_built_with_its_defaults(kind: str) -> None:
    built = searcher(kind, {})
    assert isinstance(built, SEARCHERS[kind])
    assert built.seed == 5
    assert built == searcher(kind, options_of(kind))


def test_options_reach_the_searcher() -> None:
    built = searcher("evolution", {"population": 7, "settings_chance": 1})
    assert isinstance(built, EvolutionSearcher)
    assert (built.population, built.settings_chance) == (7, 1)


@pytest.mark.parametrize(
    ("kind", "options", "where"),
    [
        ("annealing", {}, "search.kind"),
        ("evolution", {"startup": 3}, "startup"),
        ("evolution", {"space": 3}, "space"),
        ("evolution", {"population": 2.5}, "search.population"),
        ("tpe", {"multivariate": 1}, "search.multivariate"),
        ("tpe", {"startup": True}, "search.startup"),
        ("nsga2", {"population": 1}, "search.population"),
    ],
)
def test_wrong_options_are_refused(kind: str, options: dict[str, int | float | bool], where: str) -> None:
    with pytest.raises(SpecError, match=where):
        searcher(kind, options)
