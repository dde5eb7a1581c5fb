"""Specifications of the searches whose routes share one supernet's weights: what a user may set, without torch.

Those that learn by gradients of architecture parameters are in ``gradient_specs``.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mtnas.data.data_spec import Part
from mtnas.data.lengths import AtMost, Name

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]

AFFINITY_BATCHES = 8
"""Batches of ``reward_rows``, at most, whose task gradients a policy leans on (``ReinforceSearch.prior``)."""


class SharedWeightsSearch(Part):
    """What all of these searches have in common.

    ``epochs``: passes of the shared weights over ``train``; where it is not given, the job's, but as many as it takes
    to decide: ``least_steps`` steps of whatever chooses the routes, however few rows there are. ``settle``: end once no
    search of the pack has anything left to decide (entropy), before the steps are over. ``searches``: searches with
    seeds of their own, side by side in one pack. ``vary``: values of some numbers; one search for every combination,
    times ``searches``. ``routes_per_step``: routes in one step of the weights, each on its share of the batch.
    ``warmup``: share of the steps before anything but weights learns. ``co_training``: share of those routes that are
    drawn at random from the whole space, so that components which the search has turned from go on learning and may
    come back (routing with co-training; METHODS.md section 7). ``screen``: how many of the routes that it proposes, the
    known schemes of the space among them, are trained alone before finalists are chosen by what they reach on
    ``search``; 0 chooses by the inherited weights.
    """

    epochs: Annotated[int, Field(ge=1)] | None = None
    least_steps: Annotated[int, Field(ge=0, le=100_000)] = 400
    settle: bool = True
    screen: Annotated[int, Field(ge=0, le=64)] = 12
    searches: Annotated[int, Field(ge=1, le=64)] = 1
    vary: Annotated[dict[Name, Annotated[tuple[float, ...], Field(min_length=1), AtMost(64)]], AtMost(16)] = Field(
        default_factory=dict
    )
    routes_per_step: Annotated[int, Field(ge=1)] = 8
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.3
    co_training: Share = 0.0

    NUMBERS: ClassVar[frozenset[str]] = frozenset()
    """What ``vary`` may name."""

    EXPERIMENTAL: ClassVar[bool] = False
    """Whether it has not been shown to find more than chance does at its defaults: the report then says so."""

    GATE: ClassVar[tuple[str, ...]] = ()
    """Which of its settings are those of gates (``mtnas.routes.gate_settings``)."""

    @property
    def gate(self) -> dict[str, float]:
        """Settings of the gates it searches with; the routes it finds are trained with the same."""
        return {name: float(getattr(self, name)) for name in self.GATE}

    @property
    def steps_per_decision(self) -> int:
        """Weight steps for one step of whatever chooses the routes."""
        return 1

    @property
    def least_weight_steps(self) -> int:
        """Weight steps that hold ``least_steps`` steps of whatever chooses the routes, after the warm-up."""
        return math.ceil(self.least_steps * self.steps_per_decision / (1 - self.warmup))

    @property
    def num_searches(self) -> int:
        """All searches of the pack."""
        return self.searches * math.prod(len(values) for values in self.vary.values())

    def num_networks(self, num_tasks: int) -> int:
        """Networks that take a step when every search does; each is charged its passes (``search.budgets.passes``)."""
        return self.num_searches

    def variants(self) -> list[Self]:
        """One specification per combination of the values that vary."""
        names = list(self.vary)
        fixed = self.model_dump() | {"vary": {}}
        combined = product(*(self.vary[name] for name in names))
        return [type(self)(**(fixed | dict(zip(names, values, strict=True)))) for values in combined]

    @model_validator(mode="after")
    def _varies_numbers(self) -> Self:
        unknown = sorted(set(self.vary) - self.NUMBERS)
        if unknown:
            raise ValueError(f"vary: unknown numbers {unknown}; known are {sorted(self.NUMBERS)}")
        if self.num_searches > 64:
            raise ValueError(f"at most 64 searches in one pack, found {self.num_searches}")
        if self.vary:
            self.variants()
        return self


class ReinforceSearch(SharedWeightsSearch):
    """Policy gradient over routes (MTNAS; METHODS.md section 1).

    A policy step compares ``routes_per_step`` routes on the same ``reward_rows`` rows of ``search``. ``lr``: of the
    policy. ``entropy``: weight of its bonus. ``policy_every``: weight steps per policy step. ``prior``: log-odds by
    which the policy leans, when it begins to learn, to routes that keep tasks of agreeing gradients together, or those
    of one group where the job has baseline ``task_groups`` or ``partitions``.
    """

    kind: Literal["reinforce"] = "reinforce"
    routes_per_step: Annotated[int, Field(ge=4)] = 8
    reward_rows: Annotated[int, Field(ge=16)] = 256
    lr: Positive = 0.1
    entropy: Weight = 0.001
    policy_every: Annotated[int, Field(ge=1)] = 1
    prior: Weight = 0.0

    NUMBERS = frozenset({"lr", "entropy", "prior"})

    @property
    def steps_per_decision(self) -> int:
        """Weight steps per policy step."""
        return self.policy_every


class OneShotSearch(SharedWeightsSearch):
    """Experimental. Fair paths through one supernet, then evolution over routes that are judged by its weights.

    While the weights learn, every choice of every junction and slot is drawn equally often (strict fairness: Chu et
    al., ICCV 2021, https://arxiv.org/abs/1907.01845). Then ``evaluations`` routes are measured on ``search`` with the
    shared weights and by their costs in closed form, proposed by regularised evolution towards the job's objectives
    with this ``population`` and ``tournament``; the best fronts of them are what the search proposes.
    """

    kind: Literal["one_shot"] = "one_shot"
    EXPERIMENTAL = True
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    evaluations: Annotated[int, Field(ge=1)] = 256
    population: Annotated[int, Field(ge=2)] = 32
    tournament: Annotated[int, Field(ge=1)] = 8


class SparseSharingSearch(SharedWeightsSearch):
    """Experimental. Every task prunes a base network by magnitude, on its own (Sparse Sharing: Sun et al., AAAI 2020,
    https://arxiv.org/abs/1911.05034).

    ``rounds``: how often components are pruned and the weights wound back. ``keep``: share of a task's connections
    that is left in the end. ``warmup``, ``routes_per_step`` and ``co_training`` have no meaning here.
    """

    kind: Literal["sparse_sharing"] = "sparse_sharing"
    EXPERIMENTAL = True
    rounds: Annotated[int, Field(ge=1)] = 4
    keep: Annotated[float, Field(gt=0, le=1)] = 0.5

    def num_networks(self, num_tasks: int) -> int:
        """One per search and task."""
        return self.num_searches * num_tasks
