"""The catalogue of search spaces: functions that return a SearchSpace, one scheme a file."""

from search_spaces.catalogue import CATALOGUE, build, describe

__all__ = ["CATALOGUE", "build", "describe"]
