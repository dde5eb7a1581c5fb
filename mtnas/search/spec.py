"""The search part of a job specification: which way to search, and its settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtnas.data.spec import Part
from mtnas.search.catalogue import options_of


class ReinforceSearch(Part):
    """Policy-gradient search over routes with shared weights (MTNAS; METHODS.md section 1)."""

    kind: Literal["reinforce"] = "reinforce"
    epochs: Annotated[int, Field(ge=1)] | None = None
    routes_per_step: Annotated[int, Field(ge=4)] = 8
    reward_rows: Annotated[int, Field(ge=16)] = 256
    lr: Annotated[float, Field(gt=0)] = 0.02
    entropy: Annotated[float, Field(ge=0)] = 0.001
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.3
    policy_every: Annotated[int, Field(ge=1)] = 1
    prior: Annotated[float, Field(ge=0)] = 0.0
    searches: Annotated[int, Field(ge=1)] = 1


class SampledSearch(Part):
    """Candidates trained alone, proposed generation by generation from the trials so far (``mtnas.search``).

    ``options`` are the searcher's hyper-parameters, such as ``population`` of ``evolution``.
    """

    kind: Literal["random", "evolution", "tpe", "nsga2", "gaussian_process"]
    generation: Annotated[int, Field(ge=1)] = 16
    options: dict[str, bool | int | float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _options_exist(self) -> SampledSearch:
        known = options_of(self.kind)
        unknown = sorted(set(self.options) - set(known))
        if unknown:
            raise ValueError(f"unknown options {unknown} of {self.kind}; known are {sorted(known)}")
        return self


Search = Annotated[ReinforceSearch | SampledSearch, Field(discriminator="kind")]
