"""Settings of gates: what ``Settings.gate`` may hold, with defaults. Numbers alone; structure is in the graph."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mtnas.errors import SpaceError
from mtnas.routes.graph import RouteGraph
from mtnas.routes.nodes import GateKind

GATE_SETTINGS: Mapping[str, float] = {
    # hard concrete (SNR; METHODS.md section 2)
    "temperature": 0.9,
    "stretch_low": -0.1,
    "stretch_high": 1.1,
    "l0": 1e-3,
    # DSelect-k (METHODS.md section 6)
    "k": 0.0,
    "smooth_step": 1.0,
    "dselect_entropy": 1e-3,
    "dselect_mass": 1e-3,
    # controller (Sparse is Enough)
    "controller_noise": 0.1,
    "hard_passes": 0.3,
    # binary (MT-RMN)
    "binary_temperature": 1.0,
    "binary_open": 1e-3,
}
"""Defaults by name:

- ``temperature`` (beta), ``stretch_low`` (gamma), ``stretch_high`` (zeta) of the hard concrete distribution;
- ``l0``: weight of its expected number of open connections in the loss;
- ``k``: selectors of a DSelect-k gate in use, at most those of the junction; 0 for all of them;
- ``smooth_step``: width (gamma) of its smooth step;
- ``dselect_entropy``, ``dselect_mass``: weights of its entropy and of its stray code mass in the loss;
- ``controller_noise``: size of the Gumbel noise on a controller's logits in training (its paper's temperature);
- ``hard_passes``: share of training steps in which a controller opens one connection instead of weighing all;
- ``binary_temperature``: of the sigmoid whose gradient a binary connection has;
- ``binary_open``: weight of the expected number of open binary connections, a mean over rows and steps, in the loss.
"""

SETTINGS_OF: Mapping[GateKind, tuple[str, ...]] = {
    GateKind.HARD_CONCRETE: ("temperature", "stretch_low", "stretch_high", "l0"),
    GateKind.DSELECT_K: ("k", "smooth_step", "dselect_entropy", "dselect_mass"),
    GateKind.CONTROLLER: ("controller_noise", "hard_passes"),
    GateKind.BINARY: ("binary_temperature", "binary_open"),
}
"""Whose they are; the other gates have none."""

_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (1e-6, math.inf),
    "stretch_low": (-math.inf, -1e-9),
    "stretch_high": (1.0 + 1e-9, math.inf),
    "smooth_step": (1e-6, math.inf),
    "controller_noise": (0.0, 1e6),
    "hard_passes": (0.0, 1.0),
    "binary_temperature": (1e-6, math.inf),
}


def settings_in(graph: RouteGraph) -> frozenset[str]:
    """Names of the settings that some gate of the graph has."""
    kinds = {gate for junction in graph.junctions for gate in junction.gates}
    return frozenset(name for kind in kinds for name in SETTINGS_OF.get(kind, ()))


def check_gate_settings(settings: Mapping[str, float]) -> None:
    """Refuse names that no gate has and values that none can take.

    Raises:
        SpaceError: an unknown name, or a value outside its range.
    """
    for name, value in settings.items():
        where = f"settings.gate.{name}"
        if name not in GATE_SETTINGS:
            raise SpaceError(expected=f"one of {sorted(GATE_SETTINGS)}", found=name, where=where)
        low, high = _RANGES.get(name, (0.0, math.inf))
        if not (math.isfinite(value) and low <= value <= high):
            raise SpaceError(expected=f"a number from {low} to {high}", found=str(value), where=where)
