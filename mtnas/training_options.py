"""Options for training tasks together: balancers, small towers, alignment, reweighting. Plain values without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mtnas.data.data_spec import Part
from mtnas.data.lengths import AtMost, Name

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]


class EqualBalancer(Part):
    """The tasks' losses, weighted by ``Task.weight`` alone."""

    kind: Literal["equal"] = "equal"


class StaticBalancer(Part):
    """A fixed factor per task on top of ``Task.weight``; tasks that are not named have factor 1."""

    kind: Literal["static"] = "static"
    weights: Annotated[dict[Name, Positive], AtMost(256)]


class UncertaintyBalancer(Part):
    """Learned task variances (Kendall et al., 2018). ``lr`` is that of the log-variances."""

    kind: Literal["uncertainty"] = "uncertainty"
    lr: Positive = 0.01


class DynamicAverageBalancer(Part):
    """Slower tasks weigh more (dynamic weight average; Liu et al., 2019). ``window``: steps averaged, or an epoch."""

    kind: Literal["dynamic_average"] = "dynamic_average"
    temperature: Positive = 2.0
    window: Annotated[int, Field(ge=1)] | None = None


class GradNormBalancer(Part):
    """Equal gradient norms, adjusted by training rates (GradNorm; Chen et al., 2018)."""

    kind: Literal["grad_norm"] = "grad_norm"
    alpha: NonNegative = 1.5
    lr: Positive = 0.025


class RandomBalancer(Part):
    """Random weights at every step (random loss weighting; Lin et al., 2022); ``deviation`` of the normal logits."""

    kind: Literal["random"] = "random"
    deviation: NonNegative = 1.0


class FamoBalancer(Part):
    """All losses fall at one rate (FAMO; Liu et al., 2023)."""

    kind: Literal["famo"] = "famo"
    lr: Positive = 0.025
    decay: NonNegative = 1e-3


class GdodBalancer(Part):
    """The shared directions of the task gradients (GDOD). ``tolerance``: size of an entry that has no sign."""

    kind: Literal["gdod"] = "gdod"
    tolerance: NonNegative = 1e-6


class UpGradBalancer(Part):
    """Gradients projected to the dual cone (UPGrad; Quinton and Rey, 2024)."""

    kind: Literal["upgrad"] = "upgrad"
    regularisation: Positive = 1e-4


class DualProjBalancer(Part):
    """The mean gradient projected to the dual cone (DualProj; Lopez-Paz and Ranzato, 2017)."""

    kind: Literal["dual_proj"] = "dual_proj"
    regularisation: Positive = 1e-4


class MgdaBalancer(Part):
    """The shortest convex combination of gradients (MGDA; Desideri, 2012; Sener and Koltun, 2018)."""

    kind: Literal["mgda"] = "mgda"
    epsilon: Positive = 1e-3
    max_iterations: Annotated[int, Field(ge=1)] = 100


class PcGradBalancer(Part):
    """Conflicting gradients projected onto each other's normal plane (PCGrad; Yu et al., 2020)."""

    kind: Literal["pcgrad"] = "pcgrad"


class CaGradBalancer(Part):
    """Conflict-averse direction within ``c`` of the mean gradient (CAGrad; Liu et al., 2021)."""

    kind: Literal["cagrad"] = "cagrad"
    c: NonNegative = 0.5


class NashBalancer(Part):
    """The bargaining solution (Nash-MTL; Navon et al., 2022). ``max_norm`` 0 does not clip."""

    kind: Literal["nash"] = "nash"
    max_norm: NonNegative = 1.0
    update_every: Annotated[int, Field(ge=1)] = 1
    iterations: Annotated[int, Field(ge=1)] = 20


class AlignedMtlBalancer(Part):
    """Principal components of the gradients made equally long (Aligned-MTL; Senushkin et al., 2023)."""

    kind: Literal["aligned_mtl"] = "aligned_mtl"
    scale: Literal["min", "median", "rmse"] = "min"


class ImtlGBalancer(Part):
    """Equal projections on every task's gradient (IMTL-G; Liu et al., 2021)."""

    kind: Literal["imtl_g"] = "imtl_g"


class GradVacBalancer(Part):
    """Cosines pulled to their running mean (Gradient Vaccine; Wang et al., 2021)."""

    kind: Literal["gradvac"] = "gradvac"
    beta: Annotated[float, Field(ge=0, le=1)] = 0.5


class FairGradBalancer(Part):
    """Alpha-fair allocation of the decrease (FairGrad; Ban and Ji, 2024)."""

    kind: Literal["fairgrad"] = "fairgrad"
    alpha: Positive = 1.0


class GradDropBalancer(Part):
    """Gradient sign dropout (Chen et al., 2020). ``leak``: share of a dropped entry that stays.

    Needs every entry of the task gradients, so its packs hold one candidate.
    """

    kind: Literal["graddrop"] = "graddrop"
    leak: Annotated[float, Field(ge=0, le=1)] = 0.0


BalancerSpec = Annotated[
    EqualBalancer
    | StaticBalancer
    | UncertaintyBalancer
    | DynamicAverageBalancer
    | GradNormBalancer
    | RandomBalancer
    | FamoBalancer
    | GdodBalancer
    | UpGradBalancer
    | DualProjBalancer
    | MgdaBalancer
    | PcGradBalancer
    | CaGradBalancer
    | NashBalancer
    | AlignedMtlBalancer
    | ImtlGBalancer
    | GradVacBalancer
    | FairGradBalancer
    | GradDropBalancer,
    Field(discriminator="kind"),
]


def needs_lone_candidate(balancer: BalancerSpec) -> bool:
    """Whether the method needs full Jacobians, which are kept for one candidate at a time (DESIGN.md, packs)."""
    return isinstance(balancer, GradDropBalancer)


def needs_task_gradients(balancer: BalancerSpec) -> bool:
    """Whether the method weighs gradients, so that every task's own is kept during a step, not their sum alone."""
    of_losses = (
        EqualBalancer,
        StaticBalancer,
        UncertaintyBalancer,
        DynamicAverageBalancer,
        RandomBalancer,
        FamoBalancer,
    )
    return not isinstance(balancer, of_losses)


class AuxiliarySpec(Part):
    """Small towers beside every task's own (METHODS.md section 4); gone when a route is frozen.

    ``gamma`` weighs their losses. ``shape``: one linear layer; one after the mean of groups of ``size`` units
    (``pooled``); or two layers with ``size`` units between (``bottleneck``).
    """

    gamma: NonNegative = 0.1
    shape: Literal["linear", "pooled", "bottleneck"] = "linear"
    size: Annotated[int, Field(ge=1)] = 4


class AlignmentSpec(Part):
    """Covariance alignment (METHODS.md section 5): a matrix per task between the inputs and the shared part.

    ``share`` of the steps train them and the towers alone, after the rest has trained the network without them.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.5


class SvdReweighting(Part):
    """Task weights from the labels' directions in the input space (METHODS.md section 5).

    ``rank``: singular vectors kept. ``rows``: rows to look at, by default all; a sample serves data of any size.
    """

    kind: Literal["svd"] = "svd"
    rank: Annotated[int, Field(ge=1)] = 1
    rows: Annotated[int, Field(ge=2)] | None = None
