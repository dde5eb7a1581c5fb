"""One search job from its specification to its exports, phase by phase. Every phase resumes from the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtnas.data import DataAccess
from mtnas.run.base_system import Base
from mtnas.run.earlier_job import Earlier
from mtnas.run.executor import Executor
from mtnas.run.journal import Journal
from mtnas.run.phases.baselines import baselines
from mtnas.run.phases.ensemble import ensemble
from mtnas.run.phases.export import export
from mtnas.run.phases.prepare import prepare
from mtnas.run.phases.report import report
from mtnas.run.phases.retrain import retrain
from mtnas.run.phases.search import search
from mtnas.spec import JobSpec


def run_job(
    spec: JobSpec,
    *,
    access: DataAccess,
    executor: Executor,
    journal: Journal,
    device: str = "cpu",
    earlier: Earlier | None = None,
    base: Base | None = None,
) -> Mapping[str, Any]:
    """Run a job to its end and return its report.

    What the journal already holds is not done again: the plan of trials follows from the specification and from
    earlier trials alone, so a second worker goes on where the first one stopped.

    Args:
        spec: with its space expanded (``prepare.expanded``).
        access: what data the job may read.
        executor: where packs run.
        journal: what was done, and where the rest is written.
        device: device of the packs.
        earlier: the finished job that this one extends: its trials count, and only what they lack is trained.
        base: the trained system that ``spec.base`` names, if it names one.

    Raises:
        MtnasError: of the kind that ended the job.
    """
    context = prepare(
        spec, access=access, executor=executor, journal=journal, device=device, earlier=earlier, base=base
    )
    known = baselines(context)
    found = search(context, known)
    trained = retrain(context, known, found)
    together = ensemble(context, trained.entrants)
    result = report(context, found, trained, together)
    export(context, trained.entrants, together, access=access)
    return result
