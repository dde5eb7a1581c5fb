"""What every phase of a job works with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtnas.data import EncodedData
from mtnas.routes import Cost, Route, RouteGraph, Tower, aligned_cost, cost
from mtnas.routes.schemes.by_name import IMAGE_ROUTES, ImageSize, Size
from mtnas.run.base_system import Base
from mtnas.run.earlier_job import Earlier
from mtnas.run.executor import Executor
from mtnas.run.journal import Journal
from mtnas.run.judging.figures import valid_score
from mtnas.run.judging.timed_routes import TimedRoutes
from mtnas.run.packs.found_routes import FoundRoutes
from mtnas.run.packs.pack_runs import PackRuns
from mtnas.run.packs.sizing import Sizing, data_bytes, streams
from mtnas.spaces import SearchSpace
from mtnas.spec import JobSpec
from mtnas.spec.run_length import RunLength
from mtnas.tasks import Task
from mtnas.training.recipe import Recipe
from mtnas.trials import Candidate, Trial


def own_rows(spec: JobSpec, data: EncodedData) -> bool:
    """Whether batches hold rows of every task in turn: as the specification says, else where the data is like that."""
    if spec.training.batches != "auto":
        return spec.training.batches == "per_task"
    return data.rows_belong_to_tasks and not spec.needs_rows_of_all_tasks


def length_of(spec: JobSpec, data: EncodedData, *, own_rows: bool) -> RunLength:
    """Batch size and epochs of every training, by the rows of ``train``; a training on more rows has more steps."""
    rows = data.parts["train"]
    num_rows = int(np.count_nonzero(~np.isnan(data.labels[rows]))) if own_rows else len(rows)
    return spec.training.length(
        num_rows=num_rows, num_tasks=len(spec.tasks), own_rows=own_rows, least_epochs=spec.least_epochs
    )


class Context:
    """A job at work.

    Attributes:
        spec, tasks, data, space, device: of the job.
        size: how large the space builds: what named routes are built like.
        journal: what the job writes down.
        recipe: what all its candidates have in common.
        earlier: the job that this one extends.
        known: that job's trials, by what decides their outcome.
        streamed: whether packs read inputs from the cache.
        sizing: how many candidates train together.
        runs: its packs at work.
        timed: the latencies of its routes, where they are asked for.
        found: the routes of its search, as the journal knows them.
    """

    def __init__(
        self,
        *,
        spec: JobSpec,
        tasks: Sequence[Task],
        data: EncodedData,
        space: SearchSpace,
        size: Size | ImageSize,
        journal: Journal,
        executor: Executor,
        device: str,
        earlier: Earlier | None = None,
        base: Base | None = None,
    ) -> None:
        self.spec, self.tasks, self.data, self.space, self.size = spec, tuple(tasks), data, space, size
        self.journal, self.device = journal, device
        by_task = own_rows(spec, data)
        length = length_of(spec, data, own_rows=by_task)
        self.recipe = Recipe(
            batch_size=length.batch_size,
            epochs=length.epochs,
            schedule=spec.training.schedule,
            optimiser=spec.training.optimiser,
            clip_norm=spec.training.clip_norm,
            average=spec.training.average,
            patience=spec.training.patience,
            evaluate_every=spec.training.evaluate_every,
            balancer=spec.training.balancer,
            auxiliary=spec.training.auxiliary,
            alignment=spec.training.alignment,
            reweighting=spec.training.reweighting,
            own_rows=by_task,
            precision="float32" if spec.training.precision == "auto" else spec.training.precision,
            compiled=spec.training.compiled,
        )
        self.earlier, self.base = earlier, base
        self.known = {} if earlier is None else earlier.by_key()
        self.streamed = streams(data, spec.resources)
        self.sizing = Sizing(
            resources=spec.resources,
            device=device,
            inputs=data.inputs,
            tasks=self.tasks,
            recipe=self.recipe,
            evaluated_rows=max(len(data.parts[part]) for part in ("search", "valid", "test")),
            data_bytes=data_bytes(data, streamed=self.streamed),
        )
        self.runs = PackRuns(executor=executor, journal=journal, data=data, streamed=self.streamed)
        self.timed = TimedRoutes(spec)
        self.found = FoundRoutes(objective=spec.objectives[0].to_objective(), data_digest=data.digest)

    def start_phase(self, name: str) -> None:
        """A phase begins or goes on."""
        self.journal.start_phase(name)
        self.runs.start_phase()

    def finish_trials(self, trials: Sequence[Trial]) -> None:
        """Write down trials that have ended, and the routes that a search has found by them."""
        self.journal.finish_trials(trials)
        self.found.tell(self.journal, trials)

    @property
    def named_baselines(self) -> tuple[str, ...]:
        """The baselines to train; of the default ones those that there are for the space's inputs."""
        names = self.spec.protocol.named_baselines
        if self.spec.protocol.baselines is None and isinstance(self.size, ImageSize):
            return tuple(name for name in names if name in IMAGE_ROUTES)
        return names

    @property
    def towers(self) -> list[Tower]:
        """The tasks' towers, for building graphs."""
        return [Tower(task=t.name, reads="", hidden=t.tower, outputs=t.num_outputs) for t in self.tasks]

    def cost(self, graph: RouteGraph, route: Route) -> Cost:
        """Cost of a route as the job trains it, matrices of an alignment included."""
        found = cost(graph, route, self.data.inputs)
        if self.recipe.alignment is None:
            return found
        return aligned_cost(found, num_tasks=len(graph.tasks), input_width=self.data.inputs.width)

    def valid_score(self, trial: Trial) -> float:
        """The figure that complete trials are chosen by."""
        scales = {task.name: label.scale for task, label in zip(self.tasks, self.data.schema.labels, strict=True)}
        return valid_score(self.tasks, trial.evaluations, scales)

    def earlier_candidates(self, phase: str, label: str) -> list[Candidate]:
        """Candidates of the trials that the extended job ran for this, in their order; none without such a job."""
        known = [] if self.earlier is None else self.earlier.trials
        return [t.candidate for t in known if (t.phase, t.label) == (phase, label) and not t.was_cut]
