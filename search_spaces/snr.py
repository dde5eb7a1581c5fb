"""Sub-network routing: connections between layers of sub-networks, opened and closed by hard concrete gates.

Source: Ma et al., "SNR: Sub-Network Routing for Flexible Parameter Sharing in Multi-Task Learning", AAAI 2019,
https://doi.org/10.1609/aaai.v33i01.3301216; METHODS.md section 2. SNR-Trans: v_i = sum_j z_ij W_ij u_j; SNR-Aver:
v_i = sum_j z_ij u_j. A route is a set of open connections; their values, and whether they stay open, are learned under
the expected number of open ones (``Settings.gate``: ``l0``, ``temperature``, ``stretch_low``, ``stretch_high``).
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes import GateKind, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range, perceptrons


def snr_space(
    towers: Sequence[Tower],
    *,
    layers: int = 2,
    subnets: int = 4,
    width: int = 64,
    widths: tuple[int, ...] = (),
    transform: bool = False,
    norm: bool = True,
) -> SearchSpace:
    """Connections with learned hard concrete values, closed exactly where that pays (SNR-Aver, SNR-Trans).

    Args:
        towers: the tasks' towers.
        layers: layers of sub-networks, at most 8.
        subnets: sub-networks per layer, at most 32.
        width: units of each sub-network.
        widths: hidden units that a sub-network may have, as searched blocks; without any it has no hidden layer.
        transform: whether every connection has a matrix (SNR-Trans) or not (SNR-Aver).
        norm: whether sub-networks normalise their units.

    Raises:
        SpaceError: a number outside its range.
    """
    check_range("layers", layers, most=8)
    check_range("subnets", subnets, most=32)
    check_range("width", width, most=4096)
    graph = layered_graph(
        towers,
        subnets=(subnets,) * layers,
        choices=perceptrons(widths, width=width, norm=norm),
        gates=(GateKind.HARD_CONCRETE,),
        queries=(),
        transform=transform,
    )
    return SearchSpace(name="snr", graph=graph)
