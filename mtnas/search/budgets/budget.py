"""Budgets: whether a search stops, why, and how many more trials it may ask for. Pure functions of the trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mtnas.errors import SpecError
from mtnas.search.budgets.limits import BudgetSpec
from mtnas.tasks import Objective
from mtnas.trials import Trial, TrialState

SHARE_FROM = 16
"""Trials that must have run before their share of failures may end a search."""


class StopReason(StrEnum):
    """Why a search ended; limits have the names of their fields in ``BudgetSpec``."""

    TRIALS = "trials"
    CANDIDATE_STEPS = "candidate_steps"
    EPOCHS = "epochs"
    DEVICE_SECONDS = "device_seconds"
    DEADLINE = "deadline_s"
    TARGET = "target"
    PATIENCE = "patience"
    FAILED_TRIALS = "failed_trials"
    FAILED_SHARE = "failed_share"
    EXHAUSTED = "exhausted"
    COMPLETED = "completed"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The end of a search.

    Attributes:
        reason: which limit was reached, or that nothing was left to do.
        detail: the same with figures, for a reader.
        reproducible: whether the same specification stops there on any machine.
    """

    reason: StopReason
    detail: str
    reproducible: bool = True

    def to_json(self) -> dict[str, Any]:
        """As reports, events and jobs tell it."""
        return {"reason": str(self.reason), "detail": self.detail, "reproducible": self.reproducible}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What trials have cost; those that were cut off count with what they took until then."""

    candidate_steps: float = 0.0
    device_seconds: float = 0.0

    @staticmethod
    def of(trials: Sequence[Trial]) -> Spent:
        """The sum over the trials."""
        costs = [t.evaluations[0].costs if t.evaluations else t.notes.get("spent", {}) for t in trials]
        return Spent(
            candidate_steps=math.fsum(cost.get("candidate_steps", 0.0) for cost in costs),
            device_seconds=math.fsum(cost.get("device_seconds", 0.0) for cost in costs),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The limits of one search over data of a known size.

    Attributes:
        limits: what the specification says.
        objective: the first one; ``target`` and ``patience`` speak of it.
        steps_per_trial: steps that one trial takes at most.
        steps_per_epoch: steps of one pass over the training rows.
        timed: whether the trials hold figures of a clock, such as latencies.

    Raises:
        SpecError: the limits leave no room for a single trial.
    """

    limits: BudgetSpec
    objective: Objective
    steps_per_trial: int
    steps_per_epoch: int
    timed: bool = False

    def __post_init__(self) -> None:
        most = self.most_steps
        if most is not None and most < self.steps_per_trial:
            name = self.reason_of_steps
            asked = self.limits.candidate_steps if name is StopReason.CANDIDATE_STEPS else self.limits.epochs
            least = self.steps_per_trial / (1 if name is StopReason.CANDIDATE_STEPS else self.steps_per_epoch)
            raise SpecError(expected=f"at least {least:g}, one trial", found=f"{asked:g}", where=f"budget.{name}")

    @property
    def most_steps(self) -> int | None:
        """Candidate-steps that may be taken, whether they were limited as such or as epochs; ``None`` for any."""
        steps, epochs = self.limits.candidate_steps, self.limits.epochs
        limits = [steps, None if epochs is None else math.floor(epochs * self.steps_per_epoch + 1e-9)]
        return min((limit for limit in limits if limit is not None), default=None)

    @property
    def most_trials(self) -> int:
        """Trials that may run, if each takes the steps of a whole one."""
        most = self.most_steps
        return self.limits.trials if most is None else min(self.limits.trials, most // self.steps_per_trial)

    def room(self, trials: Sequence[Trial], wanted: int) -> int:
        """How many trials a generation of ``wanted`` may have; at least one while ``why_stop`` gives no reason."""
        spent = Spent.of(trials)
        rooms = [wanted, self.limits.trials - len(trials)]
        if self.most_steps is not None:
            rooms.append(int(self.most_steps - spent.candidate_steps) // self.steps_per_trial)
        if self.limits.device_seconds is not None and spent.device_seconds > 0:
            left = self.limits.device_seconds - spent.device_seconds
            rooms.append(max(1, math.floor(left / (spent.device_seconds / len(trials)))))
        return min(rooms)

    def why_stop(self, trials: Sequence[Trial], *, seconds: float) -> Stop | None:
        """The reason to end the search after these trials, or ``None``: go on.

        Args:
            trials: all trials of the search so far, by number, each with an outcome.
            seconds: wall time at work.
        """
        return self._failing(trials) or self._found(trials) or self._used_up(trials, seconds)

    def stop(self, reason: StopReason, detail: str) -> Stop:
        """The end of this search for a reason that the trials do not show."""
        return Stop(reason=reason, detail=detail, reproducible=self.limits.is_reproducible and not self.timed)

    @property
    def reason_of_steps(self) -> StopReason:
        """Which of the two limits on steps is the smaller one."""
        return StopReason.CANDIDATE_STEPS if self.most_steps == self.limits.candidate_steps else StopReason.EPOCHS

    def _failing(self, trials: Sequence[Trial]) -> Stop | None:
        ended = [trial for trial in trials if not trial.was_cut]
        failed = [trial for trial in ended if trial.state is TrialState.FAILED]
        if not failed:
            return None
        detail = f"{len(failed)} of {len(ended)} trials failed, the last with: {failed[-1].failure}"
        if self.limits.failed_trials is not None and len(failed) >= self.limits.failed_trials:
            return self.stop(StopReason.FAILED_TRIALS, detail)
        if len(ended) >= SHARE_FROM and len(failed) >= self.limits.failed_share * len(ended):
            return self.stop(StopReason.FAILED_SHARE, detail)
        return None

    def _found(self, trials: Sequence[Trial]) -> Stop | None:
        """Whether the target is reached, or nothing better has come for long."""
        name, target, best, since = self.objective.metric, self.limits.target, -math.inf, 0
        for trial in trials:
            counts = trial.state is TrialState.COMPLETE and not trial.is_infeasible
            value = trial.values.get(name, math.nan) if counts else math.nan
            signed = self.objective.signed(value)
            if target is not None and signed >= self.objective.signed(target):
                return self.stop(StopReason.TARGET, f"trial {trial.number} has {name} {value:.6g}, target {target:g}")
            best, since = (signed, 0) if signed > best else (best, since + 1)
        if self.limits.patience is not None and best > -math.inf and since >= self.limits.patience:
            found = self.objective.signed(best)
            return self.stop(StopReason.PATIENCE, f"{since} trials in a row brought no better {name} than {found:.6g}")
        return None

    def _used_up(self, trials: Sequence[Trial], seconds: float) -> Stop | None:
        limits, spent, most = self.limits, Spent.of(trials), self.most_steps
        if limits.deadline_s is not None and (seconds >= limits.deadline_s or any(t.was_cut for t in trials)):
            return self.stop(StopReason.DEADLINE, f"{seconds:.1f} of {limits.deadline_s:g} seconds at work")
        if len(trials) >= limits.trials:
            return self.stop(StopReason.TRIALS, f"{len(trials)} of {limits.trials} trials")
        if most is not None and most - spent.candidate_steps < self.steps_per_trial:
            detail = f"{spent.candidate_steps:.0f} of {most} candidate-steps, and a trial takes {self.steps_per_trial}"
            return self.stop(self.reason_of_steps, detail)
        if limits.device_seconds is not None and spent.device_seconds >= limits.device_seconds:
            detail = f"{spent.device_seconds:.1f} of {limits.device_seconds:g} device-seconds"
            return self.stop(StopReason.DEVICE_SECONDS, detail)
        return None
