"""How much proof a job gathers: baselines, seeds, independent searches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtnas.data.data_spec import Part
from mtnas.data.lengths import AtMost, Name
from mtnas.routes import NAMED_ROUTES

BASELINES = (*NAMED_ROUTES, "partitions", "task_groups")
STANDARD_BASELINES = ("single_task", "shared_bottom", "mmoe", "full_sharing", "ple", "cross_stitch")


class ProtocolSpec(Part):
    """How much proof to gather. ``quick`` gives no verdict. ``latency_rows``: rows of the batch of ``latency_us``.

    ``boosted_trees`` and ``linear_models``: whether these are fitted, one per task, as rows of the report and as
    members of the ensemble; where it is left out, unless there are images, of which both make little. ``searches``: how
    many independent searches there are (ten at the headline level, else one), the answer of each of which is trained
    once, with a seed of its own: hypotheses are then about searching, not about one route.
    """

    level: Literal["quick", "standard", "headline"] = "quick"
    baselines: Annotated[tuple[Name, ...], AtMost(64)] | None = None
    boosted_trees: bool | None = None
    linear_models: bool | None = None
    random_search: bool | None = None
    seeds: Annotated[int, Field(ge=1)] | None = None
    searches: Annotated[int, Field(ge=1, le=64)] | None = None
    finalists: Annotated[int, Field(ge=1)] = 3
    latency_rows: Annotated[int, Field(ge=1, le=2**20)] = 256

    @property
    def named_baselines(self) -> tuple[str, ...]:
        """The baselines to train; three at the quick level unless the user names others."""
        if self.baselines is not None:
            return self.baselines
        return STANDARD_BASELINES[:3] if self.level == "quick" else STANDARD_BASELINES

    @property
    def wants_random_search(self) -> bool:
        """Whether random search of equal budget is compared with: beyond the quick level, unless the user says."""
        return self.level != "quick" if self.random_search is None else self.random_search

    @property
    def num_seeds(self) -> int:
        """Seeds per baseline and finalist."""
        return self.seeds or {"quick": 2, "standard": 5, "headline": 10}[self.level]

    @property
    def num_searches(self) -> int:
        """Independent searches: at the headline level as many as seeds."""
        return self.searches or (self.num_seeds if self.level == "headline" else 1)

    @model_validator(mode="after")
    def _baselines_exist(self) -> ProtocolSpec:
        unknown = [name for name in self.named_baselines if name not in BASELINES]
        if unknown:
            raise ValueError(f"unknown baselines {unknown}; known are {list(BASELINES)}")
        if self.num_searches > self.num_seeds:
            raise ValueError(
                f"a seed for every search at least, found {self.num_searches} searches, {self.num_seeds} seeds"
            )
        if len(set(self.named_baselines)) != len(self.named_baselines):
            raise ValueError(f"baselines must differ, found {list(self.named_baselines)}")
        return self
