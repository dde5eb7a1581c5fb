"""Units: how a regression's label becomes the target that networks are trained on, and what turns it back.

A network that starts near zero and takes steps of one size learns targets of mean 0 and deviation 1; labels come as
prices, counts or seconds. Losses, balancers, rewards and searches see targets; figures, exports and reports see the
label's own unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING

from mtnas.errors import TaskError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_LOGARITHM = 88.0  # e^88 is still a float32; what a diverged network says stays finite


class Transform(StrEnum):
    """What is done to a label before it is standardised."""

    NONE = "none"
    LOG1P = "log1p"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """``target = (transform(label) - mean) / scale``; the default leaves labels as they are.

    Raises:
        TaskError: a scale that is not positive, or a number that is not finite.
    """

    transform: Transform = Transform.NONE
    mean: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (isfinite(self.mean) and isfinite(self.scale) and self.scale > 0):
            found = f"mean {self.mean}, scale {self.scale}"
            raise TaskError(expected="a finite mean and a positive scale", found=found, where="unit of a label")

    @property
    def is_own(self) -> bool:
        """Whether targets are the labels themselves."""
        return self == OWN_UNIT

    @staticmethod
    def fitted(labels: NDArray[np.float64], transform: Transform) -> Unit:
        """The unit of these labels (NaN = none), of which some are known; a constant has scale 1."""
        import numpy as np  # here: tasks are values that load nothing

        values = transformed(labels[~np.isnan(labels)], transform)
        mean = float(values.mean())
        deviation = float(np.sqrt(np.square(values - mean).mean()))
        return Unit(transform=transform, mean=mean, scale=deviation if deviation > 0 else 1.0)

    def targets(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Labels as targets; NaN stays NaN."""
        import numpy as np  # here: tasks are values that load nothing

        return np.asarray((transformed(labels, self.transform) - self.mean) / self.scale)

    def labels(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Targets as labels."""
        import numpy as np  # here: tasks are values that load nothing

        values = targets * self.scale + self.mean
        if self.transform is Transform.LOG1P:
            return np.expm1(np.minimum(values, MOST_LOGARITHM))
        return values


OWN_UNIT = Unit()


def transformed(labels: NDArray[np.float64], transform: Transform) -> NDArray[np.float64]:
    """Labels before they are standardised."""
    import numpy as np  # here: tasks are values that load nothing

    return np.log1p(labels) if transform is Transform.LOG1P else labels
