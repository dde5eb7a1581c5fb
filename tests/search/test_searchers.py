"""Every searcher keeps the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mtnas.search import (
    SEARCHERS,
    EvolutionSearcher,
    GaussianProcessSearcher,
    Nsga2Searcher,
    RandomSearcher,
    TpeSearcher,
)
from tests.search.contract import SearcherContract


class TestRandom(SearcherContract):
    kind = RandomSearcher
    learns = False


class TestEvolution(SearcherContract):
    kind = EvolutionSearcher
    changes: ClassVar[Mapping[str, Any]] = {"population": 8, "tournament": 2, "settings_chance": 0.9}
    refused: ClassVar[Mapping[str, Any]] = {"population": 0, "tournament": 0, "settings_chance": 1.5}


class TestTpe(SearcherContract):
    kind = TpeSearcher
    changes: ClassVar[Mapping[str, Any]] = {"startup": 41, "candidates": 2, "multivariate": False}
    refused: ClassVar[Mapping[str, Any]] = {"startup": 0, "candidates": 0}


class TestNsga2(SearcherContract):
    kind = Nsga2Searcher
    changes: ClassVar[Mapping[str, Any]] = {"population": 6, "crossover": 0.0, "mutation": 0.1, "settings_chance": 0.9}
    refused: ClassVar[Mapping[str, Any]] = {
        "population": 1,
        "crossover": -0.1,
        "mutation": 1.1,
        "settings_chance": float("nan"),
    }


class TestGaussianProcess(SearcherContract):
    kind = GaussianProcessSearcher
    quick: ClassVar[Mapping[str, Any]] = {"pool": 32}
    changes: ClassVar[Mapping[str, Any]] = {"startup": 41, "pool": 64, "elites": 1}
    refused: ClassVar[Mapping[str, Any]] = {"startup": 1, "pool": 0, "elites": 0}


def test_every_searcher_of_the_catalogue_is_tested() -> None:
    tested = {suite.kind for suite in SearcherContract.__subclasses__()}
    assert tested == set(SEARCHERS.values())
