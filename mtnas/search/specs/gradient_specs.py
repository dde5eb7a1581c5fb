"""Specifications of the searches by gradients of architecture parameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mtnas.search.specs.supernet_specs import Positive, Share, SharedWeightsSearch, Weight

LOOK_ROWS = 1024
"""Rows of ``search`` on which gates show what they leave open (``SnrSearch``, ``DselectKSearch``)."""


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
