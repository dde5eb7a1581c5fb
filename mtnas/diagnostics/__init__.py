"""Diagnostics: why a route shares what it shares. Plain values that a job's report can hold."""

from mtnas.diagnostics.affinity import affinity
from mtnas.diagnostics.conflicts import conflicts
from mtnas.diagnostics.gate_use import gate_use
from mtnas.diagnostics.paths import path_overlap, sharing_by_layer
from mtnas.diagnostics.similarity import covariance_similarity, input_similarity, representation_similarity

__all__ = [
    "affinity",
    "conflicts",
    "covariance_similarity",
    "gate_use",
    "input_similarity",
    "path_overlap",
    "representation_similarity",
    "sharing_by_layer",
]
