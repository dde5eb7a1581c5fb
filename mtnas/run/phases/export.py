"""Phase ``export``: the best routes as modules that run without us, verified before they are offered."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

import mtnas
from mtnas.data import DataAccess, example_rows
from mtnas.errors import ExportError
from mtnas.export import export_module, verify_export
from mtnas.routes import narrow
from mtnas.routes.text import canonical_json
from mtnas.run.context import Context
from mtnas.run.phases.report import best_trial
from mtnas.run.phases.retrain import Entrant
from mtnas.supernets import Supernet
from mtnas.trials import Trial


def export(context: Context, entrants: Sequence[Entrant], *, access: DataAccess) -> None:
    """Export the first finalists, as many as the specification asks for."""
    finalists = [entrant for entrant in entrants if entrant.role == "finalist"][: context.spec.export.top]
    if not finalists:
        return
    context.start_phase("export")
    for entrant in finalists:
        if not context.journal.has_export(entrant.digest):
            _export_one(context, entrant, access)


def _export_one(context: Context, entrant: Entrant, access: DataAccess) -> None:
    number = best_trial(context, entrant)
    trial = next((t for t in entrant.trials if t.number == number), None)
    weights = context.journal.checkpoint(f"weights/{number}") if trial is not None else None
    if trial is None or weights is None:
        raise ExportError(expected="weights of a trained trial", found="none", where=f"export of {entrant.label}")
    tensors = safetensors.torch.load(weights)
    aligned = any(name.startswith("alignment.") for name in tensors)
    frozen = Supernet(narrow(entrant.graph, entrant.route), context.data.inputs, [0], aligned=aligned)
    frozen.load_state_dict(tensors)
    with tempfile.TemporaryDirectory(prefix="mtnas-export-") as scratch:
        folder = Path(scratch) / "module"
        manifest = export_module(
            folder,
            frozen=frozen,
            route=entrant.route,
            graph=entrant.graph,
            schema=context.data.schema,
            tasks=context.tasks,
            rows=example_rows(context.spec.data, access=access),
            provenance=_provenance(context, trial),
            gate=trial.candidate.settings.gate,
        )
        verify_export(folder)
        context.journal.add_export(entrant.digest, folder, manifest.model_dump(mode="json"))


def _provenance(context: Context, trial: Trial) -> Mapping[str, Any]:
    spec = canonical_json(context.spec.model_dump(mode="json"))
    return {
        "created_at": datetime.now(UTC),
        "spec_digest": sha256(spec.encode()).hexdigest(),
        "data_digest": context.data.digest,
        "seeds": (trial.candidate.settings.seed,),
        "metrics": {evaluation.part: dict(evaluation.per_task) for evaluation in trial.evaluations},
        "versions": {"mtnas": mtnas.__version__, "torch": torch.__version__},
    }
