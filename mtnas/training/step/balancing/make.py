"""From a balancer's settings to the balancer."""

from __future__ import annotations

from mtnas.errors import SpecError
from mtnas.training.step.balancing.balancer import Balancer, PackShape
from mtnas.training.step.balancing.closed_form import ClosedForm
from mtnas.training.step.balancing.dynamic_average import DynamicAverage
from mtnas.training.step.balancing.famo import Famo
from mtnas.training.step.balancing.fixed import Equal, Static
from mtnas.training.step.balancing.gdod import Gdod
from mtnas.training.step.balancing.grad_norm import GradNorm
from mtnas.training.step.balancing.graddrop import GradDrop
from mtnas.training.step.balancing.random_weights import RandomWeights
from mtnas.training.step.balancing.uncertainty import Uncertainty
from mtnas.training_options import (
    AlignedMtlBalancer,
    BalancerSpec,
    DynamicAverageBalancer,
    EqualBalancer,
    FamoBalancer,
    GdodBalancer,
    GradDropBalancer,
    GradNormBalancer,
    ImtlGBalancer,
    RandomBalancer,
    StaticBalancer,
    UncertaintyBalancer,
)


def make_balancer(settings: BalancerSpec, shape: PackShape) -> Balancer:
    """The balancer of a pack.

    Raises:
        SpecError: a method of the library TorchJD, which is not installed (the extra ``balancers``).
        TrainingError: a method that needs full Jacobians, in a pack of several candidates.
    """
    match settings:
        case EqualBalancer():
            return Equal(shape)
        case StaticBalancer():
            return Static(shape, settings)
        case UncertaintyBalancer():
            return Uncertainty(shape, settings)
        case DynamicAverageBalancer():
            return DynamicAverage(shape, settings)
        case RandomBalancer():
            return RandomWeights(shape, settings)
        case FamoBalancer():
            return Famo(shape, settings)
        case GradNormBalancer():
            return GradNorm(shape, settings)
        case GdodBalancer():
            return Gdod(shape, settings)
        case GradDropBalancer():
            return GradDrop(shape, settings)
        case ImtlGBalancer() | AlignedMtlBalancer():
            return ClosedForm(shape, settings)
    try:
        from mtnas.training.step.balancing.library import LibraryBalancer

        return LibraryBalancer(shape, settings)
    except ImportError as error:
        raise SpecError(
            expected="the packages of the extra 'balancers' (torchjd and its solvers)",
            found=str(error),
            where=f"training.balancer of kind {settings.kind!r}",
        ) from error
