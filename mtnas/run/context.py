"""What every phase of a job works with, and how it has trials run: planned, packed, executed, written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from mtnas.data import EncodedData
from mtnas.errors import OutOfMemoryError, SearchError
from mtnas.routes import (
    Cost,
    Route,
    RouteGraph,
    Tower,
    aligned_cost,
    canonical_route,
    cost,
    route_digest,
    shape_graph,
)
from mtnas.routes.named import IMAGE_ROUTES, ImageSize, Size
from mtnas.run.earlier import Earlier, key_of
from mtnas.run.executor import Executor
from mtnas.run.figures import valid_score
from mtnas.run.journal import Journal
from mtnas.run.pack_checkpoint import cut
from mtnas.run.pack_events import (
    Outcome,
    PackCheckpoint,
    PackEnd,
    PackFailed,
    PackProgress,
    PackStarted,
    SupernetResult,
    TrainResult,
    TreesResult,
)
from mtnas.run.pack_task import PackTask, TrainWork
from mtnas.run.progress import WHOLE, PackMeter, PhaseProgress, Stretch
from mtnas.run.sizing import Sizing, data_bytes, streams
from mtnas.spaces import SearchSpace
from mtnas.spec import JobSpec
from mtnas.tasks import Task
from mtnas.training.recipe import Recipe
from mtnas.training_options import needs_lone_candidate
from mtnas.trials import Candidate, Evaluation, Place, Trial, TrialState

Values = Callable[[Sequence[Evaluation]], Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A trial before it runs: a candidate of a graph, and what it is for."""

    number: int
    phase: str
    label: str
    graph: RouteGraph
    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """How trials are trained and looked at.

    Attributes:
        parts: rows to train on.
        evaluate_on: parts to evaluate on.
        values: figures of a trial from its evaluations.
        keep_weights: whose weights to keep.
        stop_at: moment (seconds since 1970) at which trials that are not trained by then are cut off.
    """

    parts: tuple[str, ...]
    evaluate_on: tuple[str, ...]
    values: Values
    keep_weights: Callable[[Planned], bool] = lambda _: False
    stop_at: float | None = None


def own_rows(spec: JobSpec, data: EncodedData) -> bool:
    """Whether batches hold rows of every task in turn: as the specification says, else where the data is like that."""
    if spec.training.batches != "auto":
        return spec.training.batches == "per_task"
    return data.rows_belong_to_tasks and not spec.needs_rows_of_all_tasks


class Context:
    """A job at work."""

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
    ) -> None:
        self.spec, self.tasks, self.data, self.space, self.size = spec, tuple(tasks), data, space, size
        self.journal, self.executor, self.device = journal, executor, device
        self.recipe = Recipe(
            batch_size=spec.training.batch_size,
            epochs=spec.training.epochs,
            schedule=spec.training.schedule,
            evaluate_every=spec.training.evaluate_every,
            balancer=spec.training.balancer,
            auxiliary=spec.training.auxiliary,
            alignment=spec.training.alignment,
            reweighting=spec.training.reweighting,
            own_rows=own_rows(spec, data),
            precision="float32" if spec.training.precision == "auto" else spec.training.precision,
        )
        self.earlier = earlier
        self._known = {} if earlier is None else earlier.by_key()
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
        self._checkpointed: set[str] = set()
        self._progress = PhaseProgress()
        self._last_report = 0.0

    def start_phase(self, name: str) -> None:
        """A phase begins or goes on."""
        self.journal.start_phase(name)
        self._progress = PhaseProgress()

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

    def plan(self, first: int, phase: str, wanted: Sequence[tuple[str, RouteGraph, Candidate]]) -> list[Planned]:
        """Number candidates from ``first`` on; routes are put into canonical spelling."""
        return [
            Planned(
                number=first + offset,
                phase=phase,
                label=label,
                graph=graph,
                candidate=replace(candidate, route=canonical_route(graph, candidate.route)),
            )
            for offset, (label, graph, candidate) in enumerate(wanted)
        ]

    def train(
        self,
        planned: Sequence[Planned],
        *,
        parts: tuple[str, ...],
        evaluate_on: tuple[str, ...],
        values: Values,
        keep_weights: Callable[[Planned], bool] = lambda _: False,
        stretch: Stretch = WHOLE,
        may_all_fail: bool = False,
        stop_at: float | None = None,
    ) -> list[Trial]:
        """Run trials that have not run yet and give all of them back, finished, in the order of the plan.

        Args:
            planned: what to run.
            parts: rows to train on.
            evaluate_on: parts to evaluate on.
            values: figures of a trial from its evaluations.
            keep_weights: whose weights to keep.
            stretch: what share of the phase this is.
            may_all_fail: whether the caller can go on without any that could be trained.
            stop_at: moment (seconds since 1970) at which trials that are not trained by then are cut off.

        Raises:
            SearchError: none of them could be trained.
        """
        orders = Orders(parts=parts, evaluate_on=evaluate_on, values=values, keep_weights=keep_weights, stop_at=stop_at)
        done = {trial.number: trial for trial in self.journal.trials()}
        waiting = [trial for trial in planned if trial.number not in done]
        if waiting:
            self.announce(waiting)
            waiting = self._without_known(waiting, keep_weights)
            done = {trial.number: trial for trial in self.journal.trials()}
            own = [p for p in planned if p.number not in done or "from" not in done[p.number].notes]
            share = stretch.part(1 - len(waiting) / len(planned), 1)
            for finished in self.outcomes(own, orders, share, done=done):
                self.finish([self.trial_of(*end, values) for end in finished])
                self.forget_packs([self.key([member for member, _, _ in finished])])
        done = {trial.number: trial for trial in self.journal.trials()}
        trials = [done[p.number] for p in planned]
        if not may_all_fail:
            check_any_trained(trials)
        return trials

    def earlier_candidates(self, phase: str, label: str) -> list[Candidate]:
        """Candidates of the trials that the extended job ran for this, in their order; none without such a job."""
        known = [] if self.earlier is None else self.earlier.trials
        return [t.candidate for t in known if (t.phase, t.label) == (phase, label) and not t.was_cut]

    def _without_known(self, planned: list[Planned], keep_weights: Callable[[Planned], bool]) -> list[Planned]:
        """Take over what the extended job has trained already; gives the trials that are left to train."""
        left, taken = [], []
        for member in planned:
            trial = self._known.get(key_of(self._trial(member)))
            if trial is None or self.earlier is None:
                left.append(member)
                continue
            if keep_weights(member) and trial.state is TrialState.COMPLETE:
                weights = self.earlier.checkpoint(f"weights/{trial.number}")
                if weights is None:
                    left.append(member)
                    continue
                self.journal.save_checkpoint(f"weights/{member.number}", weights)
            notes = {**trial.notes, "from": {"job": self.earlier.job_id, "number": trial.number}}
            taken.append(replace(trial, number=member.number, label=member.label, notes=notes))
        if taken:
            self.journal.finish_trials(taken)
        return left

    def forget_packs(self, keys: Iterable[str]) -> None:
        """Let go of the checkpoints of packs that nobody will go on from, if there are any."""
        known = [key for key in dict.fromkeys(keys) if key in self._checkpointed]
        if known:
            self._checkpointed.difference_update(known)
            self.journal.forget_checkpoints([f"pack/{key}" for key in known])

    def save_pack(self, key: str, state: bytes) -> None:
        """Keep a pack's state to go on from."""
        self._checkpointed.add(key)
        self.journal.save_checkpoint(f"pack/{key}", state)

    def announce(self, planned: Sequence[Planned]) -> None:
        """Write down trials that are about to run."""
        self.journal.add_graphs({p.graph.digest: p.graph.to_json() for p in planned})
        self.journal.add_trials([self._trial(p) for p in planned])

    def outcomes(
        self,
        planned: Sequence[Planned],
        orders: Orders,
        stretch: Stretch = WHOLE,
        *,
        until: int | None = None,
        done: Collection[int] = (),
    ) -> Iterator[list[tuple[Planned, Outcome, Place | None]]]:
        """What became of candidates, pack by pack as they end; every pack goes on from its checkpoint if it has one.

        Args:
            planned: the candidates.
            orders: how to train them.
            stretch: what share of the phase this is.
            until: the step of a rung to stop at; their states are then checkpoints under their packs' keys.
            done: numbers of those that have ended before. They are left out, but counted when packs are made: so a
                second attempt has the packs of the first, and their results to the last bit.
        """
        too_large = self._too_large(planned)
        unfit = [member for member in planned if member.number in too_large and member.number not in done]
        if unfit:
            yield [(member, Outcome(failure=too_large[member.number]), None) for member in unfit]
        packs = self.packs([member for member in planned if member.number not in too_large], orders)
        left = [[member for member in members if member.number not in done] for members in packs]
        waiting = {self.key(members, until): members for members in left if members}
        meter = self._meter(len(waiting), stretch)
        while waiting:
            tasks = [self._task(key, members, orders, until) for key, members in waiting.items()]
            members_of, waiting = waiting, {}
            for result in self._metered(tasks, meter):
                members = members_of[result.key]
                if isinstance(result, TrainResult):
                    places = [result.place] * len(members)
                    yield list(zip(members, result.outcomes, places, strict=True))
                elif isinstance(result, PackFailed):
                    if isinstance(result.error, OutOfMemoryError) and len(members) > 1:
                        waiting |= self._halves(result.key, members, until)
                        meter.split(2)
                    else:
                        failed = Outcome(failure=str(result.error))
                        yield [(member, failed, result.place) for member in members]

    def execute(self, tasks: Sequence[PackTask], *, stretch: Stretch = WHOLE) -> Iterator[PackEnd]:
        """How packs end, each from its checkpoint if there is one; progress and checkpoints go to the journal."""
        return self._metered(tasks, self._meter(len(tasks), stretch))

    def _metered(self, tasks: Sequence[PackTask], meter: PackMeter) -> Iterator[PackEnd]:
        resumed = [
            replace(task, streamed=self.streamed, resume=self.journal.checkpoint(f"pack/{task.key}") or task.resume)
            for task in tasks
        ]
        self._checkpointed |= {task.key for task in resumed if task.resume is not None}
        events = self.executor.run(resumed, self.data)
        try:
            for event in events:
                match event:
                    case PackCheckpoint():
                        self.save_pack(event.key, event.state)
                    case TrainResult() | SupernetResult() | TreesResult() | PackFailed():
                        meter.note(event)
                        self._tell(meter)
                        yield event
                    case PackStarted() | PackProgress():
                        meter.note(event)
                        self._tell(meter)
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()

    def _meter(self, num_packs: int, stretch: Stretch) -> PackMeter:
        return PackMeter(num_packs, stretch, time.monotonic())

    def _tell(self, meter: PackMeter) -> None:
        """Write at most two reports a second; followers see throughput and time left."""
        now = time.monotonic()
        figures = self._progress.figures(meter, now)
        if now - self._last_report > 0.5 or meter.finished:
            self._last_report = now
            self.journal.progress(figures)

    def packs(self, planned: Sequence[Planned], orders: Orders) -> list[list[Planned]]:
        """Candidates that train together: of one shape, in their order, as many as the memory and the device suit.

        On processors none gets more than a fair share of them all, and the largest packs come first: whoever works in
        parallel ends at about the same time. (One GPU has its packs one after another, and wants them large.)
        """
        fair = -(-len(planned) // self.spec.resources.max_packs) if self.device == "cpu" else len(planned)
        groups: dict[tuple[str, bool], list[Planned]] = {}
        for trial in planned:
            groups.setdefault((_shape(trial).digest, orders.keep_weights(trial)), []).append(trial)
        packs = []
        for group in groups.values():
            size = 1 if needs_lone_candidate(self.spec.training.balancer) else self.sizing.size(_shape(group[0]))
            size = min(size, fair)
            packs += [group[i : i + size] for i in range(0, len(group), size)]
        return sorted(packs, key=self._work, reverse=True)

    def _work(self, members: Sequence[Planned]) -> int:
        """Multiply-accumulates of a row, of all candidates."""
        return len(members) * self.cost(members[0].graph, members[0].candidate.route).macs

    def _too_large(self, planned: Sequence[Planned]) -> dict[int, str]:
        """Why candidates cannot be trained at all, by number."""
        reasons: dict[str, str | None] = {}
        for trial in planned:
            shape = _shape(trial)
            if shape.digest not in reasons:
                try:
                    self.sizing.size(shape)
                    reasons[shape.digest] = None
                except OutOfMemoryError as error:
                    reasons[shape.digest] = str(error)
        found = {trial.number: reasons[_shape(trial).digest] for trial in planned}
        return {number: reason for number, reason in found.items() if reason is not None}

    @staticmethod
    def key(members: Sequence[Planned], until: int | None = None) -> str:
        """The name of a pack within the job, and of its checkpoint: it tells apart packs of different members.

        ``search/12+4`` are trials 12 to 15; numbers with gaps add a digest; ``@`` is the step of a rung.
        """
        numbers = [member.number for member in members]
        name = f"{members[0].phase}/{numbers[0]}+{len(numbers)}"
        if numbers[-1] - numbers[0] >= len(numbers):
            name += f"~{blake2b(repr(numbers).encode(), digest_size=4).hexdigest()}"
        return name + ("" if until is None else f"@{until}")

    def _task(self, key: str, members: Sequence[Planned], orders: Orders, until: int | None) -> PackTask:
        work = TrainWork(
            graph=_shape(members[0]),
            candidates=tuple(member.candidate for member in members),
            parts=orders.parts,
            evaluate_on=orders.evaluate_on,
            keep_weights=orders.keep_weights(members[0]),
            until=until,
        )
        return PackTask(
            key=key, work=work, tasks=self.tasks, recipe=self.recipe, device=self.device, stop_at=orders.stop_at
        )

    def _halves(self, key: str, members: Sequence[Planned], until: int | None) -> dict[str, list[Planned]]:
        """Two packs for one that did not fit, which go on from where it was."""
        state, middle = self.journal.checkpoint(f"pack/{key}"), len(members) // 2
        halves: dict[str, list[Planned]] = {}
        for places in (range(middle), range(middle, len(members))):
            half = [members[place] for place in places]
            half_key = self.key(half, until)
            halves[half_key] = half
            if state is not None and self.journal.checkpoint(f"pack/{half_key}") is None:
                self.save_pack(half_key, cut([(state, places)]))
        self.forget_packs([key])
        return halves

    def _trial(self, planned: Planned) -> Trial:
        return Trial(
            number=planned.number,
            phase=planned.phase,
            label=planned.label,
            candidate=planned.candidate,
            state=TrialState.RUNNING,
            graph_digest=planned.graph.digest,
            route_digest=route_digest(planned.graph, planned.candidate.route),
        )

    def trial_of(self, member: Planned, outcome: Outcome, place: Place | None, values: Values) -> Trial:
        """A trial that has ended, complete or failed."""
        trial = replace(self._trial(member), place=place)
        if outcome.failure is not None:
            notes = {} if outcome.cut is None else {"cut": True, "spent": dict(outcome.cut)}
            return replace(trial, state=TrialState.FAILED, failure=outcome.failure, notes=notes)
        if outcome.weights is not None:
            self.journal.save_checkpoint(f"weights/{member.number}", outcome.weights)
        found = self.cost(member.graph, member.candidate.route)
        costs = {"num_params": float(found.num_params), "macs": float(found.macs)}
        evaluations = tuple(replace(e, costs=dict(e.costs) | costs) for e in outcome.evaluations)
        figures = dict(values(evaluations)) | costs
        return replace(trial, state=TrialState.COMPLETE, evaluations=evaluations, values=figures)

    def finish(self, trials: Sequence[Trial]) -> None:
        """Write down how trials ended, which tells followers."""
        self.journal.finish_trials(trials)


def _shape(planned: Planned) -> RouteGraph:
    return shape_graph(planned.graph, planned.candidate.route)


def check_any_trained(trials: Sequence[Trial]) -> None:
    """Refuse to go on when nothing could be trained.

    Raises:
        SearchError: all trials failed.
    """
    if trials and all(trial.state is TrialState.FAILED for trial in trials):
        raise SearchError(
            expected="at least one trial that can be trained",
            found=f"{len(trials)} failed trials, the first with: {trials[0].failure}",
            where=f"phase {trials[0].phase!r}",
        )
