"""A pack of candidates that train from scratch, from its start or its checkpoint to their outcomes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

from mtnas.data import EncodedData
from mtnas.routes import Route
from mtnas.run.judging.latency import time_routes
from mtnas.run.packs.pack_checkpoint import resumed, state_of, to_bytes
from mtnas.run.packs.pack_events import Outcome, PackCheckpoint, PackEvent, PackProgress, TrainResult
from mtnas.run.packs.pack_task import PackTask, TrainWork, rows_for
from mtnas.supernets import freeze
from mtnas.training.feeding.rows import TrainingData
from mtnas.training.measuring.evaluate import of_candidate
from mtnas.training.patience import PatientTrainer
from mtnas.training.trainer import PackTrainer
from mtnas.trials import BEST_STEP, LATENCY, Evaluation, Place


def train_pack(task: PackTask, work: TrainWork, data: EncodedData, place: Place) -> Iterator[PackEvent]:
    """The events between the pack's start and its end, which is the last of them."""
    started = time.monotonic()
    if _is_over(task):
        yield TrainResult(key=task.key, place=place, outcomes=(_cut_off(step=0, seconds=0.0),) * len(work.candidates))
        return
    rows = rows_for(task, data)
    routes = [candidate.route for candidate in work.candidates]
    trainer = _trainer(task, work, data, rows)
    begun, spent_K = resumed(task, trainer, len(routes))
    end = trainer.total_steps if work.until is None else min(work.until, trainer.total_steps)
    saved, step = time.monotonic(), begun
    for look in trainer.run(until=end):
        step = look.step
        if step < end and _is_over(task):
            break
        yield PackProgress(
            key=task.key,
            step=look.step,
            total_steps=end,
            candidate_steps=(look.step - begun) * len(routes),
            seconds=float(spent_K.sum()) + time.monotonic() - started,
        )
        if time.monotonic() - saved > task.checkpoint_every_s and look.step < end:
            yield PackCheckpoint(key=task.key, state=state_of(trainer, spent_K, started))
            saved = time.monotonic()
    if step < end:
        seconds_K = (spent_K + (time.monotonic() - started) / len(routes)).tolist()
        cuts = tuple(_cut_off(step=step, seconds=seconds) for seconds in seconds_K)
        yield TrainResult(key=task.key, place=place, outcomes=cuts)
        return
    found = trainer.best_metrics(work.evaluate_on)
    if end < trainer.total_steps:
        yield PackCheckpoint(key=task.key, state=state_of(trainer, spent_K, started))
    spent_K = spent_K + (time.monotonic() - started) / len(routes)
    timed = {} if work.timing is None else time_routes(trainer.net, routes, work.timing, rows)
    outputs = trainer.best_outputs(work.evaluate_on) if work.keep_outputs else {}
    outcomes, best_steps = [], trainer.best_steps
    taken = trainer.steps_taken(end) if isinstance(trainer, PatientTrainer) else [end] * len(routes)
    for k, route in enumerate(routes):
        costs = {
            "device_seconds": float(spent_K[k]),
            "candidate_steps": float(taken[k]),
            BEST_STEP: float(best_steps[k]),
        }
        costs |= {LATENCY: timed[k]} if k in timed else {}
        evaluations = tuple(
            Evaluation(part=part, per_task=of_candidate(metrics, k), costs=costs) for part, metrics in found.items()
        )
        failure = _why_diverged(evaluations)
        weights = _frozen_bytes(trainer, route, k) if work.keep_weights and failure is None else None
        kept = to_bytes({part: found[k] for part, found in outputs.items()}) if outputs and failure is None else None
        outcomes.append(Outcome(evaluations=evaluations, failure=failure, weights=weights, outputs=kept))
    yield TrainResult(key=task.key, place=place, outcomes=tuple(outcomes), step_seconds=trainer.step_seconds)


def _trainer(task: PackTask, work: TrainWork, data: EncodedData, rows: TrainingData) -> PackTrainer | PatientTrainer:
    """The pack's candidates, untrained."""

    def build(places: Sequence[int]) -> PackTrainer:
        candidates = [work.candidates[place] for place in places]
        return PackTrainer(
            graph=work.graph,
            inputs=data.inputs,
            routes=[candidate.route for candidate in candidates],
            settings=[candidate.settings for candidate in candidates],
            tasks=task.tasks,
            data=rows,
            recipe=task.recipe,
            parts=work.parts,
            trained=work.trained,
        )

    if task.recipe.patience is None:
        return build(range(len(work.candidates)))
    return PatientTrainer(build, num_candidates=len(work.candidates), patience=task.recipe.patience)


def _is_over(task: PackTask) -> bool:
    return task.stop_at is not None and time.time() >= task.stop_at


def _cut_off(*, step: int, seconds: float) -> Outcome:
    costs = {"device_seconds": seconds, "candidate_steps": float(step)}
    return Outcome(failure="budget.deadline_s passed before the trial was trained", cut=costs)


def _why_diverged(evaluations: Sequence[Evaluation]) -> str | None:
    """A candidate has diverged if a figure of it is not finite: every part has labels of every task (``data.load``)."""
    for evaluation in evaluations:
        for task, figures in evaluation.per_task.items():
            for name, value in figures.items():
                if not math.isfinite(value):
                    where = f"{evaluation.part}: task {task!r}"
                    return f"{where}: expected a finite {name}, found {value}; a smaller learning rate may help"
    return None


def _frozen_bytes(trainer: PackTrainer | PatientTrainer, route: Route, candidate: int) -> bytes:
    frozen = freeze(trainer.net, route, candidate=candidate)
    return to_bytes({name: tensor.detach().clone() for name, tensor in frozen.state_dict().items()})
