"""Specifications of the searches whose routes share one supernet's weights: what a user may set, without torch."""

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

LOOK_ROWS = 1024
"""Rows of ``search`` on which gates show what they leave open (``SnrSearch``, ``DselectKSearch``)."""


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


class GradientSearch(SharedWeightsSearch):
    """What searches by gradients of architecture parameters have in common.

    Architecture and weights alternate: the weights learn on ``train``, the architecture on ``architecture_rows`` rows
    of ``search``, every ``architecture_every`` steps, by its own Adam with rate ``lr``.
    """

    routes_per_step: Annotated[int, Field(ge=1)] = 4
    architecture_rows: Annotated[int, Field(ge=1)] = 256
    architecture_every: Annotated[int, Field(ge=1)] = 2
    lr: Positive = 0.05

    NUMBERS = frozenset({"lr"})

    @property
    def steps_per_decision(self) -> int:
        """Weight steps per step of the architecture."""
        return self.architecture_every


class DartsSearch(GradientSearch):
    """Mixtures of all choices by softmax (DARTS, first order: Liu et al., ICLR 2019, https://arxiv.org/abs/1806.09055).

    ``temperature``: of the softmax. ``entropy``: weight of the choices' entropy, which grows linearly from nothing.
    """

    kind: Literal["darts"] = "darts"
    temperature: Positive = 1.0
    entropy: Weight = 0.02

    NUMBERS = frozenset({"lr", "temperature", "entropy"})


class GumbelSearch(GradientSearch):
    """Gumbel-Matrix: a coin per connection, straight-through (https://arxiv.org/abs/1910.04915;
    METHODS.md section 3).

    ``initial``: probability that a connection is used at the start. ``temperature``: tau = max(``temperature_floor``,
    ``temperature`` / sqrt(updates + 1)), where every step updates all tasks. ``budget``: share of its components that a
    task may use for nothing; more costs ``budget_weight`` times the excess. ``entropy``: weight of the coins' entropy,
    times (step / steps) ** ``entropy_power``.
    """

    kind: Literal["gumbel"] = "gumbel"
    initial: Annotated[float, Field(gt=0, lt=1)] = 0.7
    temperature: Positive = 12.0
    temperature_floor: Positive = 0.5
    budget: Share = 0.5
    budget_weight: Weight = 0.3
    entropy: Weight = 0.02
    entropy_power: Weight = 2.0

    NUMBERS = frozenset({"lr", "temperature", "temperature_floor", "budget", "budget_weight", "entropy"})


class BranchingSearch(GradientSearch):
    """One choice per junction by Gumbel-softmax, and its expected cost (Learning to Branch: Guo et al., ICML 2020,
    https://arxiv.org/abs/2006.01895; BMTAS: Bruggemann et al., BMVC 2020, https://arxiv.org/abs/2008.10292).

    ``temperature`` falls geometrically to ``temperature_floor``. ``cost``: weight of the expected share of the
    supernet's parameters that the tasks use.
    """

    kind: Literal["branching"] = "branching"
    temperature: Positive = 3.0
    temperature_floor: Positive = 0.3
    cost: Weight = 0.005

    NUMBERS = frozenset({"lr", "temperature", "temperature_floor", "cost"})


class AdashareSearch(GradientSearch):
    """Experimental. Select or skip per task and block, from the top down (AdaShare: Sun et al., NeurIPS 2020,
    https://arxiv.org/abs/1911.12423).

    ``temperature`` falls geometrically to ``temperature_floor``. ``sparsity``: weight of the mean log-probability that
    blocks are executed. ``sharing``: weight of the mean distance between two tasks' probabilities, larger for lower
    blocks. ``curriculum``: share of the learning steps after which all blocks are open to the policy; the topmost are
    at once.
    """

    kind: Literal["adashare"] = "adashare"
    EXPERIMENTAL = True
    temperature: Positive = 2.0
    temperature_floor: Positive = 0.5
    sparsity: Weight = 0.01
    sharing: Weight = 0.01
    curriculum: Share = 0.5

    NUMBERS = frozenset({"lr", "temperature", "temperature_floor", "sparsity", "sharing"})


class AutomtlSearch(GradientSearch):
    """Experimental. Mixed operations, fixed one after another where they are surest (AutoMTL / DESAN, KDD 2024;
    METHODS.md section 7).

    ``temperature``: of the softmax. ``roundings``: how often, evenly over the learning steps, the undecided choices
    of lowest entropy are fixed; the last time all that are left. 0 leaves all of them open to the end.
    """

    kind: Literal["automtl"] = "automtl"
    EXPERIMENTAL = True
    temperature: Positive = 1.0
    roundings: Annotated[int, Field(ge=0)] = 4

    NUMBERS = frozenset({"lr", "temperature"})


class SnrSearch(GradientSearch):
    """Experimental. Hard concrete gates on all connections (SNR, AAAI 2019; METHODS.md section 2).

    ``temperature``, ``stretch_low``, ``stretch_high``: beta, gamma and zeta of the gates. ``l0``: weight of the
    expected number of open connections.
    """

    kind: Literal["snr"] = "snr"
    EXPERIMENTAL = True
    lr: Positive = 0.1
    temperature: Positive = 0.9
    stretch_low: Annotated[float, Field(lt=0)] = -0.1
    stretch_high: Annotated[float, Field(gt=1)] = 1.1
    l0: Weight = 0.03

    NUMBERS = frozenset({"lr", "temperature", "stretch_low", "stretch_high", "l0"})
    GATE = ("temperature", "stretch_low", "stretch_high", "l0")


class DselectKSearch(GradientSearch):
    """Experimental. DSelect-k gates on all connections (Hazimeh et al., NeurIPS 2021, https://arxiv.org/abs/2106.03760).

    ``k``: most sources of a junction. ``smooth_step``: width of the smooth step. ``dselect_entropy``,
    ``dselect_mass``: weights of the selectors' entropy and of the mass of codes that name no source. ``per_example``:
    whether codes and weights depend on the input; a route is then made of the sources that weigh most on ``search``.
    """

    kind: Literal["dselect_k"] = "dselect_k"
    EXPERIMENTAL = True
    k: Annotated[int, Field(ge=1)] = 2
    smooth_step: Positive = 1.0
    dselect_entropy: Weight = 1e-3
    dselect_mass: Weight = 1e-3
    per_example: bool = False

    NUMBERS = frozenset({"lr", "smooth_step", "dselect_entropy", "dselect_mass"})
    GATE = ("k", "smooth_step", "dselect_entropy", "dselect_mass")
