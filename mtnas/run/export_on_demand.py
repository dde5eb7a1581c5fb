"""Export of any known route on demand: trained as the search that found it trains its finalists, then frozen."""

from __future__ import annotations

from mtnas.data import DataAccess
from mtnas.routes import Route, RouteGraph, canonical_route, route_digest
from mtnas.run.base_system import Base
from mtnas.run.executor import Executor
from mtnas.run.journal import Journal
from mtnas.run.judging.figures import judged
from mtnas.run.packs.planned import plan
from mtnas.run.packs.train_planned import train
from mtnas.run.phases.export import export
from mtnas.run.phases.prepare import prepare
from mtnas.run.phases.retrain import PARTS, Entrant
from mtnas.run.phases.tuning import scores_of, settings
from mtnas.run.phases.tuning_plan import Tuning
from mtnas.spec import ExportSpec, JobSpec
from mtnas.trials import Candidate, Settings


def run_export(
    spec: JobSpec,
    *,
    graph: RouteGraph,
    route: Route,
    label: str,
    lr: float | None,
    like: Settings | None = None,
    access: DataAccess,
    executor: Executor,
    journal: Journal,
    device: str = "cpu",
    base: Base | None = None,
) -> None:
    """Train one route and export it. The test part is not read.

    Args:
        spec: of the search that found the route, with its space expanded.
        graph: the route's graph; a baseline's is its own.
        route: what to train.
        label: what the route is for a reader.
        lr: its tuned learning rate; ``None`` tries the specification's grid and takes the best on ``valid``.
        like: settings that a search found it with, all but learning rate and seeds; ``None`` for the specification's.
        access: what data the job may read.
        executor: where the pack runs.
        journal: where the trials and the export are written.
        device: device of the pack.
        base: the trained system that ``spec.base`` names, if it names one.

    Raises:
        MtnasError: of the kind that ended the job.
    """
    spec = spec.model_copy(update={"export": ExportSpec(top=1, formats=spec.export.formats)})
    context = prepare(spec, access=access, executor=executor, journal=journal, device=device, base=base)
    context.start_phase("retrain")
    route = canonical_route(graph, route)
    decay = Tuning.of(spec.training).start if like is None else like.weight_decay
    rates = spec.training.lr_grid if lr is None else (lr,)
    tuning = Tuning(lrs=rates, decays=(decay,), extend=0)
    wanted = [
        (label, graph, Candidate(route=route, settings=settings(context, lr=rate, seed=0, like=like))) for rate in rates
    ]
    trials = train(
        context,
        plan(0, "retrain", wanted),
        parts=PARTS,
        evaluate_on=("valid",),
        values=lambda evaluations: judged(context.tasks, evaluations[0].per_task),
        keep_weights=lambda _: True,
    )
    entrant = Entrant(
        label=label,
        role="finalist",
        graph=graph,
        route=route,
        digest=route_digest(graph, route),
        trials=tuple(trials),
        tuned=tuning.tuned(scores_of(context, trials, label)),
    )
    export(context, [entrant], access=access)
