"""Sampled searches: searchers that propose candidates from the trials so far, fronts, and halving plans."""

from mtnas.search.budgets.budget import Budget, Spent, Stop, StopReason
from mtnas.search.budgets.halving_plan import Rung, candidate_steps, rungs, survivors
from mtnas.search.evolution import EvolutionSearcher
from mtnas.search.fronts.hypervolume import hypervolume
from mtnas.search.gaussian.gaussian_process import GaussianProcessSearcher
from mtnas.search.make_searcher import SEARCHERS, build, options_of
from mtnas.search.nsga2 import Nsga2Searcher
from mtnas.search.random_search import RandomSearcher
from mtnas.search.searcher import Searcher
from mtnas.search.specs.settings_space import Choice, LogUniform, SettingsSpace
from mtnas.search.tpe import TpeSearcher

__all__ = [
    "SEARCHERS",
    "Budget",
    "Choice",
    "EvolutionSearcher",
    "GaussianProcessSearcher",
    "LogUniform",
    "Nsga2Searcher",
    "RandomSearcher",
    "Rung",
    "Searcher",
    "SettingsSpace",
    "Spent",
    "Stop",
    "StopReason",
    "TpeSearcher",
    "build",
    "candidate_steps",
    "hypervolume",
    "options_of",
    "rungs",
    "survivors",
]
