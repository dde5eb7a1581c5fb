"""Searches by gradients of architecture parameters, one method a file."""

from mtnas.training.searches.gradient.searcher import GradientSearcher

__all__ = ["GradientSearcher"]
