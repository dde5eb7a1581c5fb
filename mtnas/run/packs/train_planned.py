"""Planned trials, trained: those that have ended before are not run again, nor what an extended job knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mtnas.errors import LostActorError, SearchError
from mtnas.run.context import Context
from mtnas.run.earlier_job import key_of
from mtnas.run.packs.outcomes import outcomes
from mtnas.run.packs.pack_events import Outcome
from mtnas.run.packs.planned import Orders, Planned, Values, pack_key
from mtnas.run.packs.progress import WHOLE, Stretch
from mtnas.trials import LOST, Place, Trial, TrialState


def train(
    context: Context,
    planned: Sequence[Planned],
    *,
    parts: tuple[str, ...],
    evaluate_on: tuple[str, ...],
    values: Values,
    keep_weights: Callable[[Planned], bool] = lambda _: False,
    as_member: Callable[[Planned], bool] = lambda _: False,
    stretch: Stretch = WHOLE,
    may_all_fail: bool = False,
    stop_at: float | None = None,
) -> list[Trial]:
    """Run trials that have not run yet and give all of them back, finished, in the order of the plan.

    Args:
        context: the job.
        planned: what to run.
        parts: rows to train on.
        evaluate_on: parts to evaluate on.
        values: figures of a trial from its evaluations.
        keep_weights: whose weights to keep.
        as_member: who may become a member of an ensemble; what an extended job has trained only if it kept the outputs.
        stretch: what share of the phase this is.
        may_all_fail: whether the caller can go on without any that could be trained.
        stop_at: moment (seconds since 1970) at which trials that are not trained by then are cut off.

    Raises:
        SearchError: none of them could be trained.
    """
    orders = Orders(
        parts=parts,
        evaluate_on=evaluate_on,
        values=values,
        keep_weights=keep_weights,
        as_member=as_member,
        stop_at=stop_at,
    )
    done = {trial.number: trial for trial in context.journal.trials()}
    waiting = [trial for trial in planned if trial.number not in done]
    if waiting:
        announce(context, waiting)
        waiting = _without_known(context, waiting, keep_weights, as_member)
        done = {trial.number: trial for trial in context.journal.trials()}
        own = [p for p in planned if p.number not in done or "from" not in done[p.number].notes]
        share = stretch.part(1 - len(waiting) / len(planned), 1)
        for finished in outcomes(context, own, orders, share, done=done):
            context.finish_trials([trial_of(context, *end, values) for end in finished])
            context.runs.forget([pack_key([member for member, _, _ in finished])])
    done = {trial.number: trial for trial in context.journal.trials()}
    trials = [done[p.number] for p in planned]
    if not may_all_fail:
        check_any_trained(trials)
    return trials


def announce(context: Context, planned: Sequence[Planned]) -> None:
    """Write down trials that are about to run."""
    context.journal.add_graphs({p.graph.digest: p.graph.to_json() for p in planned})
    context.journal.add_trials([p.running() for p in planned])


def trial_of(context: Context, member: Planned, outcome: Outcome, place: Place | None, values: Values) -> Trial:
    """A trial that has ended, complete or failed."""
    trial = replace(member.running(), place=place)
    if outcome.failure is not None:
        notes = {} if outcome.cut is None else {"cut": True, "spent": dict(outcome.cut)}
        notes |= {LOST: True} if outcome.lost else {}
        return replace(trial, state=TrialState.FAILED, failure=outcome.failure, notes=notes)
    if outcome.weights is not None:
        context.journal.save_checkpoint(f"weights/{member.number}", outcome.weights)
    if outcome.outputs is not None:
        context.journal.save_checkpoint(f"outputs/{member.number}", outcome.outputs)
    found = context.cost(member.graph, member.candidate.route)
    costs = {"num_params": float(found.num_params), "macs": float(found.macs)}
    costs |= context.timed.costs(trial.route_digest, outcome.evaluations)
    infeasible = context.timed.why_infeasible(trial.route_digest)
    evaluations = tuple(replace(e, costs=dict(e.costs) | costs) for e in outcome.evaluations)
    figures = dict(values(evaluations)) | costs
    notes = {} if infeasible is None else {"infeasible": infeasible}
    return replace(trial, state=TrialState.COMPLETE, evaluations=evaluations, values=figures, notes=notes)


def check_any_trained(trials: Sequence[Trial]) -> None:
    """Refuse to go on when nothing could be trained.

    Raises:
        SearchError: all trials failed.
        LostActorError: and some because the processes that trained them died.
    """
    if trials and all(trial.state is TrialState.FAILED for trial in trials):
        kind = LostActorError if any(trial.notes.get(LOST) for trial in trials) else SearchError
        raise kind(
            expected="at least one trial that can be trained",
            found=f"{len(trials)} failed trials, the first with: {trials[0].failure}",
            where=f"phase {trials[0].phase!r}",
        )


def _without_known(
    context: Context,
    planned: list[Planned],
    keep_weights: Callable[[Planned], bool],
    as_member: Callable[[Planned], bool],
) -> list[Planned]:
    """Take over what the extended job has trained already; gives the trials that are left to train."""
    left, taken = [], []
    for member in planned:
        trial = context.known.get(key_of(member.running()))
        if trial is None or context.earlier is None:
            left.append(member)
            continue
        if keep_weights(member) and trial.state is TrialState.COMPLETE:
            weights = context.earlier.checkpoint(f"weights/{trial.number}")
            if weights is None:
                left.append(member)
                continue
            context.journal.save_checkpoint(f"weights/{member.number}", weights)
        offered = [(kind, context.earlier.checkpoint(f"{kind}/{trial.number}")) for kind in ("weights", "outputs")]
        for kind, kept in offered if as_member(member) else ():
            if kept is not None:
                context.journal.save_checkpoint(f"{kind}/{member.number}", kept)
        notes = {**trial.notes, "from": {"job": context.earlier.job_id, "number": trial.number}}
        taken.append(replace(trial, number=member.number, label=member.label, notes=notes))
    if taken:
        context.finish_trials(taken)
    return left
