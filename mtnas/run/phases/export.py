"""Phase ``export``: the best routes as modules that run without us, verified before they are offered."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

import mtnas
from mtnas.data import DataAccess, example_rows
from mtnas.data.catalogue import CATALOGUE
from mtnas.errors import ExportError
from mtnas.export import Member, ModelMember, add_formats, export_ensemble, export_module, verify_export
from mtnas.routes import narrow
from mtnas.routes.text import canonical_json
from mtnas.run.context import Context
from mtnas.run.phases.ensemble import Ensemble, Mixed, members_of
from mtnas.run.phases.ensemble_row import heaviest_of, models_of
from mtnas.run.phases.retrain import Entrant
from mtnas.run.phases.route_rows import best_trial
from mtnas.supernets import Supernet
from mtnas.training.trained_network import Trained
from mtnas.trials import Trial


def export(
    context: Context, entrants: Sequence[Entrant], together: Ensemble | None = None, *, access: DataAccess
) -> None:
    """Export the first finalists, as many as the specification asks for, and the ensemble."""
    finalists = [entrant for entrant in entrants if entrant.role == "finalist"][: context.spec.export.top]
    if not finalists:
        return
    context.start_phase("export")
    for entrant in finalists:
        if not context.journal.has_export(entrant.digest):
            _export_one(context, entrant, access)
    if together is not None and not context.journal.has_export(together.mixed.digest):
        _export_ensemble(context, entrants, finalists[0], together.mixed, access)


def _export_ensemble(
    context: Context, entrants: Sequence[Entrant], winner: Entrant, mixed: Mixed, access: DataAccess
) -> None:
    found = members_of(mixed, entrants)
    heaviest = heaviest_of(mixed, entrants, otherwise=winner)
    members = [
        Member(
            label=entrant.label,
            frozen=_frozen(context, entrant, trial),
            route=entrant.route,
            graph=entrant.graph,
            gate=trial.candidate.settings.gate,
            shares={t: shares[str(trial.number)] for t, shares in mixed.weights.items() if str(trial.number) in shares},
        )
        for entrant, trial in found
    ]
    with tempfile.TemporaryDirectory(prefix="mtnas-export-") as scratch:
        folder = Path(scratch) / "module"
        export_ensemble(
            folder,
            digest=mixed.digest,
            members=members,
            models=[
                ModelMember(task=task, kind=kind, model=model, share=mixed.weights[task][kind])
                for (task, kind), model in models_of(context, mixed)
            ],
            drawn=(heaviest.graph, heaviest.route),
            schema=context.data.schema,
            tasks=context.tasks,
            rows=example_rows(context.spec.data, access=access),
            provenance=_provenance(context, mixed.metrics, [trial.candidate.settings.seed for _, trial in found]),
            job=_job(context),
            licence=_licence(context),
        )
        manifest = add_formats(folder, context.spec.export.formats)
        verify_export(folder)
        context.journal.add_export(mixed.digest, folder, manifest.model_dump(mode="json"))


def _frozen(context: Context, entrant: Entrant, trial: Trial) -> Supernet:
    """A trained network from its kept weights.

    Raises:
        ExportError: they were not kept.
    """
    weights = context.journal.checkpoint(f"weights/{trial.number}")
    if weights is None:
        raise ExportError(expected="weights of a trained trial", found="none", where=f"export of {entrant.label}")
    trained = Trained(graph=narrow(entrant.graph, entrant.route), weights=weights)
    return trained.network(context.data.inputs)


def _export_one(context: Context, entrant: Entrant, access: DataAccess) -> None:
    number = best_trial(context, entrant)
    trial = next((t for t in entrant.trials if t.number == number), None)
    if trial is None:
        raise ExportError(expected="weights of a trained trial", found="none", where=f"export of {entrant.label}")
    frozen = _frozen(context, entrant, trial)
    with tempfile.TemporaryDirectory(prefix="mtnas-export-") as scratch:
        folder = Path(scratch) / "module"
        export_module(
            folder,
            frozen=frozen,
            route=entrant.route,
            graph=entrant.graph,
            schema=context.data.schema,
            tasks=context.tasks,
            rows=example_rows(context.spec.data, access=access),
            provenance=_provenance(
                context, {e.part: e.per_task for e in trial.evaluations}, [trial.candidate.settings.seed]
            ),
            gate=trial.candidate.settings.gate,
            job=_job(context),
            licence=_licence(context),
        )
        manifest = add_formats(folder, context.spec.export.formats)
        verify_export(folder)
        context.journal.add_export(entrant.digest, folder, manifest.model_dump(mode="json"))


def _job(context: Context) -> Mapping[str, Any]:
    """The specification, which makes this answer again."""
    found: Mapping[str, Any] = context.spec.model_dump(mode="json")
    return found


def _licence(context: Context) -> str | None:
    """Of the data, where the catalogue knows it."""
    source = context.spec.data.source
    return CATALOGUE[source.name].licence if source.kind == "catalogue" and source.name in CATALOGUE else None


def _provenance(context: Context, metrics: Mapping[str, Any], seeds: Sequence[int]) -> Mapping[str, Any]:
    spec = canonical_json(context.spec.model_dump(mode="json"))
    return {
        "created_at": datetime.now(UTC),
        "spec_digest": sha256(spec.encode()).hexdigest(),
        "data_digest": context.data.digest,
        "seeds": tuple(dict.fromkeys(seeds)),
        "metrics": {part: dict(per_task) for part, per_task in metrics.items()},
        "versions": {"mtnas": mtnas.__version__, "torch": torch.__version__},
    }
