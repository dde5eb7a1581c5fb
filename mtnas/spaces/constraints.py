"""Limits that every route of a space keeps to."""

from __future__ import annotations

from dataclasses import dataclass

from mtnas.errors import SpaceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What every route must keep to; None is no limit.

    Attributes:
        max_params: trainable numbers of the reachable part.
        max_macs: multiply-accumulates per example of the reachable part.
        max_in_degree: active inputs of any one junction.

    Raises:
        SpaceError: a limit that is no whole number of at least 1.
    """

    max_params: int | None = None
    max_macs: int | None = None
    max_in_degree: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_params", "max_macs", "max_in_degree"):
            limit = getattr(self, name)
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
                raise SpaceError(
                    expected="a whole number of at least 1", found=repr(limit), where=f"constraints.{name}"
                )

    def and_also(self, others: Constraints) -> Constraints:
        """What keeps to both: the stricter of each two limits."""
        return Constraints(
            max_params=_stricter(self.max_params, others.max_params),
            max_macs=_stricter(self.max_macs, others.max_macs),
            max_in_degree=_stricter(self.max_in_degree, others.max_in_degree),
        )


def _stricter(first: int | None, second: int | None) -> int | None:
    return min((limit for limit in (first, second) if limit is not None), default=None)


NO_LIMITS = Constraints()
