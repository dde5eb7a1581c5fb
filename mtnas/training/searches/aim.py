"""What a search over shared weights that tries whole routes judges them by: the job's objectives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtnas.tasks import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Objectives, and what gains are measured against.

    Attributes:
        objectives: of the job, at least one.
        reference: metrics of single-task training on ``search``, by task name, then by metric name.
    """

    objectives: tuple[Objective, ...]
    reference: Mapping[str, Mapping[str, float]]
