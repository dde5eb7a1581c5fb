"""How numbers and categories become inputs: ``data.numeric`` and ``data.categorical`` of the job specification."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mtnas.data.schema_columns import NumberVectors
from mtnas.data.spec_part import Part

Width = Annotated[int, Field(ge=1, le=1024)]
Bins = Annotated[int, Field(ge=0, le=4096)]

_WIDTHS = (2, 4, 8, 16, 32, 64)  # powers of two: tables of one width train as one


class PreparedNumbers(Part):
    """What every number goes through first, fitted on the training rows.

    ``standard``: less the mean, by the deviation. ``robust``: less the median, by the distance of the quartiles, then
    x / sqrt(1 + (x / 3)^2), which stays within 3 (RealMLP; Holzmüller et al., 2024). ``quantile``: the normal quantile
    at the number, in the middle of those that equal numbers hold. A missing number is read as the mean, or median where
    numbers are not standardised; columns that lack values in the training rows have an indicator beside them.
    """

    prepare: Literal["standard", "robust", "quantile"] = "standard"


class PlainNumbers(PreparedNumbers):
    """The number alone."""

    kind: Literal["plain"] = "plain"


class RangedNumbers(PreparedNumbers):
    """The number, and the embedding (of ``width``) of one of at most ``bins`` ranges that it lies in."""

    kind: Literal["ranges"] = "ranges"
    bins: Bins = 48
    width: Width = 8


class PiecewiseNumbers(PreparedNumbers):
    """A vector of ``width`` per number: a linear map plus a learned piecewise-linear curve (Gorishniy et al., 2022).

    The curve starts at zero, bends at quantiles of the training rows and around values that many of them hold, at most
    ``bins`` segments, and is constant beyond the least and the largest number of the training rows.
    """

    kind: Literal["piecewise"] = "piecewise"
    bins: Annotated[int, Field(ge=2, le=4096)] = 48
    width: Width = 12


class PeriodicNumbers(PreparedNumbers):
    """A vector of ``width`` per number: a linear map plus one of cos(2 pi c x + p) (Gorishniy et al., 2022).

    ``frequencies`` c per number, normal with ``deviation`` at the start, and the phases p are learned. ``shared``: one
    map of the waves for all numbers.
    """

    kind: Literal["periodic"] = "periodic"
    frequencies: Annotated[int, Field(ge=1, le=1024)] = 16
    deviation: Annotated[float, Field(gt=0)] = 0.05
    width: Width = 12
    shared: bool = False


NumericSpec = Annotated[PlainNumbers | RangedNumbers | PiecewiseNumbers | PeriodicNumbers, Field(discriminator="kind")]


class CategoricalSpec(Part):
    """Categories as inputs: an indicator per value where there are at most ``one_hot`` values, else an embedding.

    ``width`` of the embeddings; ``vocabulary`` takes the power of two nearest to 1.6 * values^.56, from 2 to 64.
    """

    one_hot: Annotated[int, Field(ge=0, le=255)] = 9
    width: Width | Literal["vocabulary"] = 8

    def width_for(self, num_values: int) -> int:
        """Width of the embedding of a column with so many known values."""
        if isinstance(self.width, int):
            return self.width
        wanted = 1.6 * float(num_values) ** 0.56
        return min(_WIDTHS, key=lambda width: abs(width - wanted))


def number_vectors(spec: NumericSpec) -> NumberVectors | None:
    """What the encoder makes of numbers that it maps; ``None`` where it maps none."""
    match spec:
        case PiecewiseNumbers():
            return NumberVectors(width=spec.width)
        case PeriodicNumbers():
            return NumberVectors(
                width=spec.width, frequencies=spec.frequencies, deviation=spec.deviation, shared=spec.shared
            )
        case _:
            return None
