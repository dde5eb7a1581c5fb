"""Scikit-learn's boosted trees as a forest of ours, cut after its best number of trees.

The library keeps its trees in private attributes: what is read from them is compared with what the library predicts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtnas.ensembles.forest import CODES, Forest
from mtnas.ensembles.table_inputs import TableInputs
from mtnas.errors import TrainingError
from mtnas.run.task_models.raw_outputs import outputs_of, starting_outputs
from mtnas.tasks import Task

TOLERANCE = 1e-5


def forest_of(
    model: Any, task: Task, inputs: TableInputs, *, iterations: int, rows: NDArray[np.float32], expected: Any
) -> Forest:
    """The first trees of a fitted model.

    Args:
        model: ``HistGradientBoostingClassifier`` or ``...Regressor``.
        task: of the labels that it was fitted on.
        inputs: the columns of its matrix, of which the categorical ones come first.
        iterations: how many trees an output keeps.
        rows: some rows ``[N, F]``.
        expected: the model's raw outputs for them, ``[N]`` or ``[N, classes]``, after so many trees.

    Raises:
        TrainingError: the trees do not say what the model predicts.
    """
    outputs = outputs_of(model, task)
    order, known = _columns(model, inputs)
    nodes: list[tuple[Any, int, int]] = []
    roots: list[int] = []
    output_of: list[int] = []
    sets: list[NDArray[np.bool_]] = []
    first = 0
    for stage in model._predictors[:iterations]:
        for output, tree in zip(outputs, stage, strict=True):
            nodes.append((tree, first, len(sets)))
            roots.append(first)
            output_of.append(output)
            sets += _sets(tree, known)
            first += len(tree.nodes)
    baseline = starting_outputs(model, task)
    baseline[outputs] = torch.from_numpy(np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1))
    tables = [_table(tree, offset, first_set, order) for tree, offset, first_set in nodes]
    forest = Forest(
        inputs=inputs,
        depth=max((int(tree.nodes["depth"].max()) for tree, _, _ in nodes), default=0),
        **{name: torch.from_numpy(np.concatenate([table[name] for table in tables])) for name in _EMPTY}
        if tables
        else {name: torch.empty(0, dtype=dtype) for name, dtype in _EMPTY.items()},
        sets=torch.from_numpy(np.stack(sets)) if sets else torch.empty((0, CODES), dtype=torch.bool),
        roots=torch.tensor(roots, dtype=torch.int64),
        output_of=torch.tensor(output_of, dtype=torch.int64),
        baseline=baseline,
    )
    wanted = torch.from_numpy(np.asarray(expected, dtype=np.float64).reshape(len(rows), -1))
    found = forest.outputs(torch.from_numpy(rows))[:, outputs].double()
    worst = float(((found - wanted).abs() / wanted.abs().clamp(min=1)).max()) if len(rows) else 0.0
    if not worst <= TOLERANCE:
        raise TrainingError(
            expected=f"trees that predict what the library does, to {TOLERANCE:g}",
            found=f"a difference of {worst:.2g}",
            where=f"boosted trees of task {task.name!r}",
        )
    return forest


_EMPTY = {
    "feature": torch.int64,
    "threshold": torch.float32,
    "left": torch.int64,
    "right": torch.int64,
    "members": torch.int64,
    "value": torch.float64,
}


def _columns(model: Any, inputs: TableInputs) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Our column of each of the model's, which puts categorical ones first, and the codes it knows of those."""
    if model._preprocessor is None:
        return np.arange(inputs.width), []
    categorical = inputs.categorical
    others = [column for column in range(inputs.width) if column not in set(categorical)]
    known = model._preprocessor.named_transformers_["encoder"].categories_
    return np.array([*categorical, *others], dtype=np.int64), [codes.astype(np.int64) for codes in known]


def _sets(tree: Any, known: list[NDArray[np.int64]]) -> list[NDArray[np.bool_]]:
    """Which codes go left, for every set of a tree; a code that the model has never seen goes where missing ones go."""
    found = []
    for node in tree.nodes[tree.nodes["is_categorical"].astype(bool) & ~tree.nodes["is_leaf"].astype(bool)]:
        codes = known[int(node["feature_idx"])]
        bits = np.unpackbits(tree.raw_left_cat_bitsets[node["bitset_idx"]].view(np.uint8), bitorder="little")
        members = np.full(CODES, bool(node["missing_go_to_left"]))
        members[codes] = bits[: len(codes)].astype(bool)
        found.append(members)
    return found


def _table(tree: Any, offset: int, first_set: int, order: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    nodes, own = tree.nodes, np.arange(len(tree.nodes)) + offset
    leaf = nodes["is_leaf"].astype(bool)
    by_set = nodes["is_categorical"].astype(bool) & ~leaf
    threshold = nodes["num_threshold"].astype(np.float32)
    # The largest number of float32 that is at most the threshold: inputs are of float32, so nothing changes side.
    above = threshold.astype(np.float64) > nodes["num_threshold"]
    threshold[above] = np.nextafter(threshold[above], np.float32(-np.inf))
    members = np.full(len(nodes), -1, dtype=np.int64)
    members[by_set] = first_set + np.arange(by_set.sum())
    return {
        "feature": np.where(leaf, 0, order[nodes["feature_idx"].astype(np.int64).clip(0, len(order) - 1)]),
        "threshold": np.where(leaf | by_set, np.float32(np.inf), threshold),
        "left": np.where(leaf, own, nodes["left"].astype(np.int64) + offset),
        "right": np.where(leaf, own, nodes["right"].astype(np.int64) + offset),
        "members": members,
        "value": np.where(leaf, nodes["value"].astype(np.float64), 0.0),
    }
