"""How numbers become vectors, as far as parameters and costs depend on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberMaps:
    """A linear map per number, and what is added to it: a piecewise-linear part, a periodic part, or nothing.

    Attributes:
        columns: positions of the numbers among a batch's numeric inputs.
        width: of every number's vector.
        segments: per number the segments of its piecewise-linear part; empty without such parts.
        places: positions of the inputs that say in which segment, and where in it, a number lies: 2.25 is a quarter of
            the way through the third. Empty without piecewise-linear parts.
        frequencies: of every number's periodic part; 0 without.
        deviation: of the frequencies at the start.
        shared: whether all numbers' periodic parts go through one map.
    """

    columns: tuple[int, ...]
    width: int
    segments: tuple[int, ...] = ()
    places: tuple[int, ...] = ()
    frequencies: int = 0
    deviation: float = 0.05
    shared: bool = False

    @property
    def num_params(self) -> int:
        """Trainable numbers of all maps."""
        linear = 2 * len(self.columns) * self.width
        waves = 2 * len(self.columns) * self.frequencies
        maps = (1 if self.shared else len(self.columns)) * self.frequencies * self.width
        return linear + sum(self.segments) * self.width + waves + maps

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a row; what the segments below add up to is looked up."""
        linear = len(self.columns) * self.width
        piecewise = len(self.segments) * self.width
        periodic = len(self.columns) * self.frequencies * (1 + self.width)
        return linear + piecewise + periodic
