"""Bayesian optimisation: the searcher, its surrogate (a Gaussian process) and its acquisition.

Enters: trials. Leaves: candidates. Reads ``search`` and its ``fronts``.
"""
