"""A job that has ended and that another one extends: its trials count as if the new job had run them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mtnas.trials import Trial

Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What the extended job left behind.

    Attributes:
        job_id: the job, for a reader.
        trials: all its finished trials, by number.
        data_digest: of the data it ran on; None where it has no trials.
        stop: why its search ended, as in its report.
        checkpoint: its checkpoints by name.
    """

    job_id: str
    trials: Sequence[Trial]
    data_digest: str | None
    stop: Mapping[str, Any]
    checkpoint: Callable[[str], bytes | None]

    def by_key(self) -> dict[Key, Trial]:
        """Trials by what decides their outcome; those that were cut off have none."""
        return {key_of(trial): trial for trial in self.trials if not trial.was_cut}


def key_of(trial: Trial) -> Key:
    """What decides the outcome of a trial within one recipe.

    Its phase says which rows it is trained on; in a search its label says against whom it had to hold its own.
    """
    settings = json.dumps(asdict(trial.candidate.settings), sort_keys=True)
    label = trial.label if trial.phase == "search" else ""
    return trial.phase, label, trial.graph_digest, trial.candidate.route.text, settings
