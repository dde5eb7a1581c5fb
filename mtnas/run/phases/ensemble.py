"""Phase ``ensemble``: of what was retrained anyway, and of models of one task, those that answer best together on
``valid``.

Nothing is trained here. What is chosen follows from the trials and from their outputs, which the journal keeps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from mtnas.ensembles.draws_of_rows import Shares, half_each, row_draws, shares_over_draws, trimmed
from mtnas.ensembles.greedy import GreedyRules, Score
from mtnas.ensembles.looked_at import LookedAt
from mtnas.ensembles.mixture import chances, figures_of, mixture, score_of
from mtnas.ensembles.task_model import KINDS, Kind
from mtnas.routes.text import canonical_json
from mtnas.run.context import Context
from mtnas.run.judging.figures import valid_score
from mtnas.run.phases.retrain import Entrant
from mtnas.run.phases.search import is_random
from mtnas.run.task_models.fitted import outputs_name, task_models
from mtnas.trials import Evaluation, Trial

CHECKPOINT = "chosen_ensemble"
PARTS = ("valid", "test")

Weights = Mapping[str, Mapping[str, float]]
"""By task, then by member (the number of its trial as text, or a kind of task models): shares that add up to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """A set of members that answers as one.

    Attributes:
        weights: of the members, by task.
        metrics: by part, as in ``Evaluation.per_task``.
        score: on ``valid``, as entrants are chosen by.
        candidates: how many there were to choose from.
    """

    weights: Weights
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    score: float
    candidates: int

    @property
    def members(self) -> list[str]:
        """All members, in order."""
        names = {name for of_task in self.weights.values() for name in of_task}
        return sorted(
            names,
            key=lambda name: (name in KINDS, name if name in KINDS else "", int(name) if name not in KINDS else 0),
        )

    @property
    def digest(self) -> str:
        """Tells ensembles of one job apart; it stands where routes have theirs."""
        return sha256(canonical_json({"ensemble": self.weights}).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """What the phase found.

    Attributes:
        mixed: the ensemble.
        networks: the best without models of one task; the same where there are none.
        unsearched: the best without what the search found: hand-made networks and models of one task, chosen in the
            same way among as many as there are; ``None`` where no hand-made network may be a member.
        averages: by label, the plain mean over all seeds of one entrant.
    """

    mixed: Mixed
    networks: Mixed
    unsearched: Mixed | None
    averages: Mapping[str, Mixed]


def ensemble(context: Context, entrants: Sequence[Entrant]) -> Ensemble | None:
    """Choose; None where none is asked for, or where no network has kept its outputs."""
    if context.spec.export.ensemble == "none":
        return None
    context.start_phase("ensemble")
    saved = context.journal.checkpoint(CHECKPOINT)
    found = _chosen(context, entrants) if saved is None else _from_json(json.loads(saved))
    if found is None:
        return None
    if saved is None:
        context.journal.save_checkpoint(CHECKPOINT, json.dumps(_to_json(found)).encode())
    _forget_others(context, entrants, found)
    return found


def members_of(found: Mixed, entrants: Sequence[Entrant]) -> list[tuple[Entrant, Trial]]:
    """The networks of an ensemble with the entrants that they are seeds of, in order."""
    numbers = {name for name in found.members if name not in KINDS}
    return [(e, t) for e in entrants for t in e.complete if str(t.number) in numbers]


class _Pool:
    """Members' outputs on ``valid`` and ``test``, and the labels there."""

    def __init__(self, context: Context, trials: Sequence[Trial], kinds: Sequence[Kind]) -> None:
        self.tasks = context.tasks
        self.looked_at = {p: LookedAt.of(context.data, p, own_rows=context.recipe.own_rows) for p in PARTS}
        self.scales = {t.name: label.scale for t, label in zip(context.tasks, context.data.schema.labels, strict=True)}
        self.members: list[str] = []
        of_task: dict[tuple[str, str], list[Tensor]] = {(p, t.name): [] for p in PARTS for t in context.tasks}
        for trial in trials:
            kept = context.journal.checkpoint(f"outputs/{trial.number}")
            if kept is None or context.journal.checkpoint(f"weights/{trial.number}") is None:
                continue
            self.members.append(str(trial.number))
            outputs = safetensors.torch.load(kept)
            for part in PARTS:
                columns = torch.split(outputs[part], [task.num_outputs for task in context.tasks], dim=1)
                for task, own in zip(context.tasks, columns, strict=True):
                    of_task[part, task.name].append(own)
        for kind in kinds if self.members else ():
            self.members.append(kind)
            for t, task in enumerate(context.tasks):
                fitted = safetensors.torch.load(context.journal.checkpoint(outputs_name(kind, task.name)) or b"")
                for part in PARTS:
                    of_task[part, task.name].append(fitted[part][self.looked_at[part].places[:, t]])
        self.outputs = {key: torch.stack(found) for key, found in of_task.items() if found}

    def chosen(self, context: Context, allowed: Sequence[int]) -> Mixed:
        """Of the members at these places, by greedy selection over draws of the rows of ``valid``."""
        rules, on_valid = GreedyRules(), {t.name: chances(t, self.outputs["valid", t.name]) for t in self.tasks}
        together = torch.cat([on_valid[task.name] for task in self.tasks], dim=2)
        generator = torch.Generator().manual_seed(context.spec.seed)
        draws = row_draws(together.shape[1], len(self.members) * together.shape[2], generator=generator)
        whole: Shares = shares_over_draws(together, self._mean_score, rules, draws, allowed=allowed)
        whole = whole or dict.fromkeys(allowed, 1 / len(allowed))
        shares = dict.fromkeys(on_valid, whole)
        if context.spec.export.ensemble_for == "task":
            for t, task in enumerate(self.tasks):
                own = shares_over_draws(on_valid[task.name], partial(self._score, t), rules, draws, allowed=allowed)
                shares[task.name] = half_each(own, whole)
        return self.mixed(trimmed(shares, most_members=context.spec.export.most_members), candidates=len(allowed))

    def mixed(self, shares: Mapping[str, Mapping[int, float]], *, candidates: int) -> Mixed:
        """Members by their places, with their shares by task, of so many candidates."""
        metrics: dict[str, dict[str, Mapping[str, float]]] = {part: {} for part in PARTS}
        for t, task in enumerate(self.tasks):
            places = list(shares[task.name])
            for part in PARTS:
                outputs = mixture(task, self.outputs[part, task.name][places], list(shares[task.name].values()))
                metrics[part][task.name] = figures_of(
                    task, outputs, self.looked_at[part].labels[:, t], self.looked_at[part].weights_of(t)
                )
        return Mixed(
            weights={name: {self.members[p]: w for p, w in of_task.items()} for name, of_task in shares.items()},
            metrics=metrics,
            score=valid_score(self.tasks, [Evaluation(part="valid", per_task=metrics["valid"])], self.scales),
            candidates=candidates,
        )

    def average(self, members: Sequence[str]) -> Mixed:
        """All with the same share."""
        places = [self.members.index(name) for name in members]
        shares = {task.name: dict.fromkeys(places, 1 / len(places)) for task in self.tasks}
        return self.mixed(shares, candidates=len(places))

    def _score(self, t: int, rows: Tensor) -> Score:
        """How good one task's predictions for these rows are."""
        task, on_valid = self.tasks[t], self.looked_at["valid"]
        weights = on_valid.weights_of(t)
        labels, counts = on_valid.labels[rows, t], None if weights is None else weights[rows]
        return score_of(task, labels, scale=self.scales[task.name], weights_N=counts)

    def _mean_score(self, rows: Tensor) -> Score:
        """How good the predictions of all tasks are on average, of those that these rows can judge."""
        widths = [task.num_outputs for task in self.tasks]
        scores = [self._score(t, rows) for t in range(len(self.tasks))]

        def score(predictions_MNO: Tensor) -> Tensor:
            parts = zip(scores, torch.split(predictions_MNO, widths, dim=2), strict=True)
            return torch.stack([of_task(part) for of_task, part in parts]).nanmean(dim=0)

        return score


def _chosen(context: Context, entrants: Sequence[Entrant]) -> Ensemble | None:
    trials = [trial for entrant in entrants for trial in entrant.complete]
    may_answer = context.spec.export.tree_members and context.base is None
    kinds = [models.kind for models in task_models(context)] if may_answer else []
    pool = _Pool(context, trials, kinds)
    if not pool.members:
        return None
    networks = [place for place, name in enumerate(pool.members) if name not in KINDS]
    averages = {}
    for entrant in entrants:
        kept = [str(trial.number) for trial in entrant.complete if str(trial.number) in pool.members]
        if kept:
            averages[entrant.label] = pool.average(kept)
    alone = pool.chosen(context, networks)
    everyone = pool.chosen(context, range(len(pool.members))) if kinds else alone
    numbers = {str(trial.number) for e in entrants if _is_hand_made(e) for trial in e.complete}
    by_hand = [place for place, name in enumerate(pool.members) if name in numbers or name in KINDS]
    unsearched = pool.chosen(context, by_hand) if numbers & set(pool.members) else None
    return Ensemble(mixed=everyone, networks=alone, unsearched=unsearched, averages=averages)


def _is_hand_made(entrant: Entrant) -> bool:
    return entrant.role == "baseline" and not is_random(entrant.label)


def _forget_others(context: Context, entrants: Sequence[Entrant], found: Ensemble) -> None:
    """Let go of what members have left that are not chosen; finalists stay, for whoever extends the job."""
    needed = set(found.mixed.members)
    others = [t.number for e in entrants if e.role != "finalist" for t in e.trials if str(t.number) not in needed]
    context.journal.forget_checkpoints([f"{kind}/{number}" for number in others for kind in ("weights", "outputs")])


def _to_json(found: Ensemble) -> dict[str, Any]:
    def plain(mixed: Mixed) -> dict[str, Any]:
        of = {"weights": mixed.weights, "metrics": mixed.metrics}
        return of | {"score": mixed.score, "candidates": mixed.candidates}

    averages = {label: plain(mixed) for label, mixed in found.averages.items()}
    unsearched = None if found.unsearched is None else plain(found.unsearched)
    return {
        "mixed": plain(found.mixed),
        "networks": plain(found.networks),
        "unsearched": unsearched,
        "averages": averages,
    }


def _from_json(saved: Mapping[str, Any]) -> Ensemble:
    averages = {label: Mixed(**mixed) for label, mixed in saved["averages"].items()}
    return Ensemble(
        mixed=Mixed(**saved["mixed"]),
        networks=Mixed(**saved["networks"]),
        unsearched=None if saved["unsearched"] is None else Mixed(**saved["unsearched"]),
        averages=averages,
    )
