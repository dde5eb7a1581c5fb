"""What tasks share on a route, and the clusters that follow from it (PROTOCOL.md point 7)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import AgglomerativeClustering

from mtnas.routes import BlockKind, Route, task_path
from mtnas.routes.widths import node_widths
from mtnas.spaces import SearchSpace

Overlap = np.ndarray[Any, np.dtype[np.float64]]


def jaccard(space: SearchSpace, route: Route) -> Overlap:
    """Overlap of the weights that every two tasks reach, ``[T, T]``; what they do with equal weights does not count."""
    assert space.inputs is not None
    slots, blocks, widths = space.graph.slot_of(), route.block_of(), node_widths(space.graph, space.inputs.width)

    def weights(task: str) -> dict[str, int]:
        reached = task_path(space.graph, route, task).slots
        used = [name for name in reached if blocks[name].kind is not BlockKind.IDENTITY]
        return {slots[name].weights_of: blocks[name].num_params(widths[slots[name].reads] or 0) for name in used}

    paths = [weights(tower.task) for tower in space.graph.towers]
    return np.array([[_overlap(a, b) for b in paths] for a in paths])


def mean_of_pairs(overlap: Overlap) -> float:
    """Mean over all pairs of different tasks."""
    return float(overlap[~np.eye(len(overlap), dtype=bool)].mean())


def clustered(overlap: Overlap, clusters: int) -> list[int]:
    """Average-linkage clusters of 1 - Jaccard, ``[T]``.

    Tasks that share everything are in one cluster: there are fewer than asked where tasks lie in fewer places. Where
    they lie in more, the closest are merged, and the first of equally close ones.
    """
    places = len(np.unique(overlap.round(9), axis=0))
    if places == 1:
        return [0] * len(overlap)
    model = AgglomerativeClustering(n_clusters=min(clusters, places), metric="precomputed", linkage="average")
    labels: list[int] = model.fit_predict(1 - overlap).tolist()
    return labels


def _overlap(a: dict[str, int], b: dict[str, int]) -> float:
    every = a | b
    return sum(every[name] for name in a.keys() & b.keys()) / max(sum(every.values()), 1)
