"""Hand-made architectures as graphs with one route: the baselines every search is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from mtnas.errors import SpaceError
from mtnas.routes.blocks.block import BlockKind
from mtnas.routes.building.image_levels import COMPONENTS
from mtnas.routes.costs.route_cost import cost
from mtnas.routes.inputs import InputShape
from mtnas.routes.nodes import Tower
from mtnas.routes.schemes import (
    ImageSize,
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
from mtnas.routes.schemes import image_routes as images
from mtnas.routes.schemes.task_partition import task_partition

__all__ = [
    "IMAGE_ROUTES",
    "NAMED_ROUTES",
    "ImageSize",
    "NamedRoute",
    "Size",
    "full_route",
    "matched",
    "matched_partition",
]

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


IMAGE_ROUTES: dict[str, Callable[[Sequence[Tower], ImageSize], NamedRoute]] = {
    "single_task": images.single_task,
    "shared_bottom": images.shared_bottom,
    "mmoe": images.mmoe,
    "full_sharing": images.full_sharing,
}
# Few channels are coarse steps: components are left out, largest first, until the parameters match.
_COMPONENTS = tuple(
    tuple(kind for kind in COMPONENTS if kind not in left_out)
    for left_out in (
        (),
        (BlockKind.CONV_7X7,),
        (BlockKind.CONV_7X7, BlockKind.CONV_1X7),
        (BlockKind.CONV_7X7, BlockKind.CONV_1X7, BlockKind.CONV_5X5),
    )
)
MATCHED = 0.05  # how far parameters may be off (PROTOCOL.md point 2)


def matched(
    name: str, towers: Sequence[Tower], size: Size | ImageSize, inputs: InputShape, *, num_params: int
) -> NamedRoute:
    """The named route at the width whose parameters come closest to ``num_params`` (PROTOCOL.md point 2).

    Parameters grow with the width, so the width is found by bisection. Over images the width is the channels, and
    the first choice of components that is near enough is taken, else the nearest. Where none is within ``MATCHED``,
    reports say so (``mtnas.run.judging.search_facts``).

    Raises:
        SpaceError: no such named route.
    """
    known = NAMED_ROUTES if isinstance(size, Size) else IMAGE_ROUTES
    if name not in known:
        kind = "" if isinstance(size, Size) else " over images"
        raise SpaceError(expected=f"one of {sorted(known)}{kind}", found=name, where="named route")
    if isinstance(size, Size):
        scheme = NAMED_ROUTES[name]
        return _nearest(lambda width: scheme(towers, replace(size, width=width)), inputs, num_params)[0]
    found: list[tuple[NamedRoute, float]] = []
    for components in _COMPONENTS:
        of_kinds = partial(_image_route, name, towers, replace(size, components=components))
        named, off = _nearest(of_kinds, inputs, num_params)
        found.append((named, off))
        if off <= MATCHED * num_params:
            break
    return min(found, key=lambda built: built[1])[0]


def matched_partition(
    groups: Sequence[int], towers: Sequence[Tower], size: Size, inputs: InputShape, *, num_params: int
) -> NamedRoute:
    """A partition of the tasks at the width whose parameters come closest to ``num_params``."""
    return _nearest(lambda width: task_partition(towers, replace(size, width=width), groups), inputs, num_params)[0]


def _image_route(name: str, towers: Sequence[Tower], size: ImageSize, width: int) -> NamedRoute:
    return IMAGE_ROUTES[name](towers, replace(size, width=width))


def _nearest(make: Callable[[int], NamedRoute], inputs: InputShape, num_params: int) -> tuple[NamedRoute, float]:
    """The width's route whose parameters are nearest to ``num_params``, and by how many they are off."""

    def build(width: int) -> tuple[NamedRoute, int]:
        named = make(width)
        return named, cost(named.graph, named.route, inputs).num_params

    low, high = 1, 2
    while build(high)[1] < num_params and high < 1 << 16:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if build(middle)[1] <= num_params else (low, middle)
    named, count = min((build(low), build(high)), key=lambda built: abs(built[1] - num_params))
    return named, abs(count - num_params)
