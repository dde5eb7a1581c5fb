"""Diagnostics of a job's best route, stored in its report: what is shared, how gates use it, who gains and who pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import safetensors.torch
import torch

from mtnas.diagnostics import (
    affinity,
    conflicts,
    gate_use,
    input_similarity,
    path_overlap,
    representation_similarity,
    sharing_by_layer,
)
from mtnas.routes import narrow
from mtnas.run.context import Context
from mtnas.run.judging.statistics import paired
from mtnas.run.phases.retrain import Entrant
from mtnas.supernets import Selection, Supernet
from mtnas.training.feeding.rows import ResidentData, TrainingData
from mtnas.training.feeding.streamed import StreamedData

ROWS = 4096  # of ``valid`` (similarity, gates) and of ``search`` (gradients): enough for shares, cheap for any data


def diagnose(
    context: Context, entrant: Entrant, *, trial: int | None, gains: Mapping[int, Mapping[str, float]]
) -> dict[str, Any]:
    """Everything that is cheap, and what the specification asks for besides.

    Args:
        context: the job.
        entrant: the route to explain.
        trial: number of the trial whose weights to look at; ``None``, or weights that were not kept, leave out what
            needs weights.
        gains: per seed, every task's gain over single-task training on ``test``.
    """
    found: dict[str, Any] = {
        "label": entrant.label,
        "tasks": [task.name for task in context.tasks],
        "path_overlap": path_overlap(entrant.graph, entrant.route, context.data.inputs),
        "sharing_by_layer": sharing_by_layer(entrant.graph, entrant.route),
        "negative_transfer": {
            task.name: transfer([of_seed[task.name] for of_seed in gains.values()]) for task in context.tasks
        },
    }
    weights = None if trial is None else context.journal.checkpoint(f"weights/{trial}")
    return found if weights is None else found | _of_weights(context, entrant, weights)


def transfer(gains: Sequence[float]) -> dict[str, Any]:
    """A task's gain over single-task training with its 95 % interval over seeds, and what that says.

    ``verdict``: ``negative`` or ``positive`` where the interval leaves zero out, else ``none``; ``None`` without an
    interval.
    """
    found = paired(gains, [0.0] * len(gains))
    ends = found["interval"]
    verdict = None
    if isinstance(ends, list):
        verdict = "negative" if ends[1] < 0 else "positive" if ends[0] > 0 else "none"
    return {"gain": found["mean"], "interval": ends, "verdict": verdict}


def _of_weights(context: Context, entrant: Entrant, weights: bytes) -> dict[str, Any]:
    tensors = safetensors.torch.load(weights)
    aligned = any(name.startswith("alignment.") for name in tensors)
    net = Supernet(narrow(entrant.graph, entrant.route), context.data.inputs, [0], aligned=aligned)
    net.load_state_dict(tensors)
    route = entrant.route
    selection = Selection.from_routes(net.graph, [[route]], gate=[entrant.settings.gate])
    kind = StreamedData if context.streamed else ResidentData
    whole: TrainingData = kind.of(context.data, torch.device("cpu"))
    data = replace(whole, parts={name: rows[:ROWS] for name, rows in whole.parts.items()})
    found: dict[str, Any] = {
        "similarity": {
            "inputs": input_similarity(net, data, "valid"),
            "representations": representation_similarity(net, selection, data, "valid"),
        },
        "gates": gate_use(net, selection, route, data, "valid"),
    }
    wanted = context.spec.diagnostics
    if wanted.conflicts:
        found["conflicts"] = conflicts(net, selection, route, data, context.tasks, part="search")
    if wanted.affinity:
        found["affinity"] = affinity(net, selection, route, data, context.tasks, part="search")
    return found
