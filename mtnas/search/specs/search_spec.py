"""The search part of a job specification: which way to search, and its settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtnas.data.data_spec import Part
from mtnas.data.lengths import AtMost, Name
from mtnas.search.make_searcher import options_of
from mtnas.search.specs.gradient_specs import (
    AdashareSearch,
    AutomtlSearch,
    BranchingSearch,
    DartsSearch,
    DselectKSearch,
    GumbelSearch,
    SnrSearch,
)
from mtnas.search.specs.searched_settings import SearchedSettings
from mtnas.search.specs.supernet_specs import OneShotSearch, ReinforceSearch, SparseSharingSearch


class HalvingSpec(Part):
    """Successive halving: at every rung the best ``1 / reduction`` of a generation go on, the rest are stopped early.

    The last rung stands at ``1 / reduction`` of the training, the one before at a ``reduction``-th of that, down to no
    less than ``min_epochs``, always where candidates are looked at anyway (``training.evaluate_every``). They are
    judged by the job's objectives on the ``search`` part.
    """

    reduction: Annotated[int, Field(ge=2)] = 3
    min_epochs: Annotated[float, Field(gt=0)] = 1.0


class SampledSearch(Part):
    """Candidates trained alone, proposed generation by generation from the trials so far (``mtnas.search``).

    ``options`` are the searcher's hyper-parameters, such as ``population`` of ``evolution``. With ``halving`` a
    generation is one bracket of successive halving. ``settings`` are searched together with routes.
    """

    kind: Literal["random", "evolution", "tpe", "nsga2", "gaussian_process"]
    generation: Annotated[int, Field(ge=1)] = 16
    halving: HalvingSpec | None = None
    options: Annotated[dict[Name, bool | int | float], AtMost(64)] = Field(default_factory=dict)
    settings: SearchedSettings = SearchedSettings()

    @model_validator(mode="after")
    def _options_exist(self) -> SampledSearch:
        known = options_of(self.kind)
        unknown = sorted(set(self.options) - set(known))
        if unknown:
            raise ValueError(f"unknown options {unknown} of {self.kind}; known are {sorted(known)}")
        if self.halving is not None and self.generation < self.halving.reduction:
            raise ValueError(
                f"halving by {self.halving.reduction} needs generations of as many, found {self.generation}"
            )
        return self


SupernetSearch = (
    ReinforceSearch
    | OneShotSearch
    | DartsSearch
    | GumbelSearch
    | BranchingSearch
    | AdashareSearch
    | AutomtlSearch
    | SnrSearch
    | DselectKSearch
    | SparseSharingSearch
)
Search = Annotated[SupernetSearch | SampledSearch, Field(discriminator="kind")]
