"""Fronts of points and their hypervolume: plain mathematics on numbers.

Enters: points with directions. Leaves: ranks, fronts, volumes. Reads nothing else of ``search``.
"""
