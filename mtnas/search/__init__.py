"""Sampled searches: searchers that propose candidates from the trials so far, and fronts.

Searchers that need a library of their own (``mtnas.search.tpe``) are imported from their files.
"""

from mtnas.search.evolution import EvolutionSearcher
from mtnas.search.nsga2 import Nsga2Searcher
from mtnas.search.random_search import RandomSearcher
from mtnas.search.searcher import SampledSearcher, Searcher
from mtnas.search.settings_space import Choice, LogUniform, SettingsSpace

__all__ = [
    "Choice",
    "EvolutionSearcher",
    "LogUniform",
    "Nsga2Searcher",
    "RandomSearcher",
    "SampledSearcher",
    "Searcher",
    "SettingsSpace",
]
