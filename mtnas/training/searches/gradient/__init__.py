"""Searches by gradients of architecture parameters, one method a file."""

from mtnas.training.searches.gradient.gradient_search import GradientSearcher

__all__ = ["GradientSearcher"]
