"""Searches by gradients of architecture parameters, one method a file."""

from mtnas.training.gradient.searcher import GradientSearcher

__all__ = ["GradientSearcher"]
