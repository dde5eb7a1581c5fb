"""Phase ``ensemble``: of what was retrained anyway, and of boosted trees, those that answer best together on ``valid``.

Nothing is trained here. What is chosen follows from the trials and from their outputs, which the journal keeps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from mtnas.ensembles.greedy import GreedyRules, select
from mtnas.ensembles.looked_at import LookedAt
from mtnas.ensembles.mixture import chances, figures_of, mixture, score_of
from mtnas.routes.text import canonical_json
from mtnas.run.context import Context
from mtnas.run.judging.boosting import grown_trees
from mtnas.run.judging.figures import valid_score
from mtnas.run.phases.retrain import Entrant
from mtnas.tasks import Task
from mtnas.trials import Evaluation, Trial

CHECKPOINT = "ensemble"
PARTS = ("valid", "test")
TREES = "trees"

Weights = Mapping[str, Mapping[str, float]]
"""By task, then by member (the number of its trial as text, or ``trees``): shares that add up to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """A set of members that answers as one.

    Attributes:
        weights: of the members, by task.
        metrics: by part, as in ``Evaluation.per_task``.
        score: on ``valid``, as entrants are chosen by.
    """

    weights: Weights
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    score: float

    @property
    def members(self) -> list[str]:
        """All members, in order."""
        names = {name for of_task in self.weights.values() for name in of_task}
        return sorted(names, key=lambda name: (name == TREES, int(name) if name != TREES else 0))

    @property
    def digest(self) -> str:
        """Tells ensembles of one job apart; it stands where routes have theirs."""
        return sha256(canonical_json({"ensemble": self.weights}).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """What the phase found.

    Attributes:
        mixed: the ensemble.
        networks: the best without trees; the same where there are none.
        averages: by label, the plain mean over all seeds of one entrant.
    """

    mixed: Mixed
    networks: Mixed
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
    numbers = {name for name in found.members if name != TREES}
    return [(e, t) for e in entrants for t in e.complete if str(t.number) in numbers]


class _Pool:
    """Members' outputs on ``valid`` and ``test``, and the labels there."""

    def __init__(self, context: Context, trials: Sequence[Trial], *, trees: bool) -> None:
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
        if trees and self.members:
            self.members.append(TREES)
            for t, task in enumerate(context.tasks):
                grown = safetensors.torch.load(context.journal.checkpoint(f"outputs/trees/{task.name}") or b"")
                for part in PARTS:
                    of_task[part, task.name].append(grown[part][self.looked_at[part].places[:, t]])
        self.outputs = {key: torch.stack(found) for key, found in of_task.items() if found}

    def chosen(self, context: Context, allowed: Sequence[int]) -> Mixed:
        """Greedily, of the members at these places."""
        rules = GreedyRules(most_members=context.spec.export.most_members)
        generator = torch.Generator().manual_seed(context.spec.seed)
        on_valid = {task.name: chances(task, self.outputs["valid", task.name]) for task in self.tasks}
        scores = {task.name: self._score(t, task) for t, task in enumerate(self.tasks)}
        if context.spec.export.ensemble_for == "task":
            shares = {
                name: select(on_valid[name], scores[name], rules, generator=generator, allowed=allowed).weights
                for name in on_valid
            }
        else:
            widths = [task.num_outputs for task in self.tasks]

            def mean_score(predictions_MNO: Tensor) -> Tensor:
                parts = zip(self.tasks, torch.split(predictions_MNO, widths, dim=2), strict=True)
                return torch.stack([scores[task.name](part) for task, part in parts]).mean(dim=0)

            together = torch.cat([on_valid[task.name] for task in self.tasks], dim=2)
            found = select(together, mean_score, rules, generator=generator, allowed=allowed).weights
            shares = dict.fromkeys(on_valid, found)
        return self.mixed(shares)

    def mixed(self, shares: Mapping[str, Mapping[int, float]]) -> Mixed:
        """Members by their places, with their shares by task."""
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
        )

    def average(self, members: Sequence[str]) -> Mixed:
        """All with the same share."""
        places = [self.members.index(name) for name in members]
        return self.mixed({task.name: dict.fromkeys(places, 1 / len(places)) for task in self.tasks})

    def _score(self, t: int, task: Task) -> Any:
        rows = self.looked_at["valid"]
        return score_of(task, rows.labels[:, t], scale=self.scales[task.name], weights_N=rows.weights_of(t))


def _chosen(context: Context, entrants: Sequence[Entrant]) -> Ensemble | None:
    trials = [trial for entrant in entrants for trial in entrant.complete]
    trees = context.spec.export.tree_members and context.base is None and grown_trees(context) is not None
    pool = _Pool(context, trials, trees=trees)
    if not pool.members:
        return None
    networks = [place for place, name in enumerate(pool.members) if name != TREES]
    averages = {}
    for entrant in entrants:
        kept = [str(trial.number) for trial in entrant.complete if str(trial.number) in pool.members]
        if kept:
            averages[entrant.label] = pool.average(kept)
    alone = pool.chosen(context, networks)
    everyone = pool.chosen(context, range(len(pool.members))) if trees else alone
    return Ensemble(mixed=everyone, networks=alone, averages=averages)


def _forget_others(context: Context, entrants: Sequence[Entrant], found: Ensemble) -> None:
    """Let go of what members have left that are not chosen; finalists stay, for whoever extends the job."""
    needed = set(found.mixed.members)
    others = [t.number for e in entrants if e.role != "finalist" for t in e.trials if str(t.number) not in needed]
    context.journal.forget_checkpoints([f"{kind}/{number}" for number in others for kind in ("weights", "outputs")])


def _to_json(found: Ensemble) -> dict[str, Any]:
    def plain(mixed: Mixed) -> dict[str, Any]:
        return {"weights": mixed.weights, "metrics": mixed.metrics, "score": mixed.score}

    averages = {label: plain(mixed) for label, mixed in found.averages.items()}
    return {"mixed": plain(found.mixed), "networks": plain(found.networks), "averages": averages}


def _from_json(saved: Mapping[str, Any]) -> Ensemble:
    averages = {label: Mixed(**mixed) for label, mixed in saved["averages"].items()}
    return Ensemble(mixed=Mixed(**saved["mixed"]), networks=Mixed(**saved["networks"]), averages=averages)
