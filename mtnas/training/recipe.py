"""How every candidate of a job is trained: what a pack's candidates have in common."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import TypeAdapter

from mtnas.training.step.schedule import ScheduleKind
from mtnas.training_options import AlignmentSpec, AuxiliarySpec, BalancerSpec, EqualBalancer, SvdReweighting
from mtnas.trials import Settings

OptimiserKind = Literal["adamw", "muon"]

_BALANCERS: TypeAdapter[BalancerSpec] = TypeAdapter(BalancerSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Training settings that a pack shares.

    Attributes:
        batch_size: rows of a step.
        epochs: passes over the training rows.
        schedule: course of the learning rate.
        optimiser: what moves hidden matrices, ``muon`` or AdamW like all else; searches over shared weights, where
            most sub-networks rest in a step, take AdamW.
        clip_norm: bound on the Euclidean norm of each candidate's gradient; ``None`` does not clip.
        average: decay a step of the moving average of weights that is evaluated instead of them; candidates alone
            have it, not searches. ``None`` evaluates the weights.
        patience: looks without an improvement after which a candidate ends; ``None`` trains all to the end. Candidates
            of jobs have it (``mtnas.training.patience``), not searches.
        evaluate_every: steps between looks at ``valid``; None looks at the end of every epoch.
        balancer: how the tasks' losses or gradients become one direction.
        auxiliary: small towers beside the tasks' own, while training.
        alignment: a matrix per task between the inputs and the shared part; candidates alone have it, not searches.
        reweighting: task weights from the training data.
        own_rows: whether every row belongs to one task: batches hold ``batch_size`` rows of each, and towers see their
            own alone.
        precision: type of the products; weights are float32 unless it is ``float64``, which is for proofs.
        compiled: whether ``torch.compile`` compiles the network, which needs a compiler and up to a minute a shape.
    """

    batch_size: int = 1024
    epochs: int = 4
    schedule: ScheduleKind = "one_cycle"
    optimiser: OptimiserKind = "adamw"
    clip_norm: float | None = None
    average: float | None = None
    patience: int | None = None
    evaluate_every: int | None = None
    balancer: BalancerSpec = field(default_factory=EqualBalancer)
    auxiliary: AuxiliarySpec | None = None
    alignment: AlignmentSpec | None = None
    reweighting: SvdReweighting | None = None
    own_rows: bool = False
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
    compiled: bool = False

    def under(self, settings: Settings) -> Recipe:
        """The recipe of a candidate with these settings: it may have a balancer of its own.

        Raises:
            ValidationError: the settings' balancer is none.
        """
        if settings.balancer is None:
            return self
        return replace(self, balancer=_BALANCERS.validate_python(settings.balancer))
