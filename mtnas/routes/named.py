"""Hand-made architectures as graphs with one route: the baselines every search is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mtnas.errors import SpaceError
from mtnas.routes.cost import cost
from mtnas.routes.inputs import InputShape
from mtnas.routes.nodes import Tower
from mtnas.routes.schemes import (
    NamedRoute,
    Size,
    adatt,
    aitm,
    cgc,
    controller,
    cross_stitch,
    dselect_k,
    esmm,
    full_route,
    full_sharing,
    ml_mmoe,
    mmoe,
    ple,
    shared_bottom,
    single_task,
    stem,
)

__all__ = ["NAMED_ROUTES", "NamedRoute", "Size", "full_route", "matched"]

NAMED_ROUTES: dict[str, Callable[[Sequence[Tower], Size], NamedRoute]] = {
    "single_task": single_task,
    "shared_bottom": shared_bottom,
    "mmoe": mmoe,
    "full_sharing": full_sharing,
    "ml_mmoe": ml_mmoe,
    "cross_stitch": cross_stitch,
    "cgc": cgc,
    "ple": ple,
    "adatt": adatt,
    "stem": stem,
    "aitm": aitm,
    "esmm": esmm,
    "dselect_k": dselect_k,
    "controller": controller,
}


def matched(name: str, towers: Sequence[Tower], size: Size, inputs: InputShape, *, num_params: int) -> NamedRoute:
    """The named route at the width whose parameters come closest to ``num_params`` (PROTOCOL.md point 2).

    Parameters grow with the width, so the width is found by bisection.

    Raises:
        SpaceError: no such named route.
    """
    if name not in NAMED_ROUTES:
        raise SpaceError(expected=f"one of {sorted(NAMED_ROUTES)}", found=name, where="named route")

    def build(width: int) -> tuple[NamedRoute, int]:
        named = NAMED_ROUTES[name](towers, replace(size, width=width))
        return named, cost(named.graph, named.route, inputs).num_params

    low, high = 1, 2
    while build(high)[1] < num_params and high < 1 << 16:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if build(middle)[1] <= num_params else (low, middle)
    return min((build(low), build(high)), key=lambda built: abs(built[1] - num_params))[0]
