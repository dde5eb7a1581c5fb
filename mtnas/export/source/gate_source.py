"""Gates in a generated module: their attributes, the expressions of their values, and their weights.

A gate is written as it is in evaluation: hard concrete connections keep the value that training gave them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from mtnas.export.source.block_source import Named, linear
from mtnas.routes import GateKind, Junction, Mix
from mtnas.routes.gate_settings import GATE_SETTINGS
from mtnas.routes.nodes import STATIC_QUERY
from mtnas.supernets.gates import (
    AttentionGate,
    ControllerGate,
    DSelectGate,
    FreeGate,
    Gate,
    HardConcreteGate,
    LogitGate,
)

UNWEIGHTED = (GateKind.PASS, GateKind.SUM, GateKind.AVERAGE)


def attribute(junction: Junction, mix: Mix, *, query_width: int, width: int, settings: Mapping[str, float]) -> str:
    """Source of a gate's attribute.

    Args:
        junction: where the gate stands.
        mix: which gate it is, with how many inputs.
        query_width: width of its query, 0 without one.
        width: width of its sources.
        settings: the candidate's settings of gates.
    """
    fan_in = len(mix.inputs)
    match mix.gate:
        case GateKind.FREE | GateKind.HARD_CONCRETE:
            return f"nn.Parameter(torch.zeros({fan_in}))"
        case GateKind.DSELECT_K:
            chosen = dict(GATE_SETTINGS) | dict(settings)
            in_use = int(chosen["k"]) or junction.selectors
            sizes = f"{query_width}, {fan_in}, {junction.selectors}"
            return f"DSelect({sizes}, in_use={min(in_use, junction.selectors)}, width={float(chosen['smooth_step'])!r})"
        case GateKind.CONTROLLER:
            return f"Controller({query_width}, {junction.rank}, {fan_in})"
        case GateKind.ATTENTION:
            return f"Attention({width})"
        case _ if mix.query == STATIC_QUERY:
            return f"nn.Parameter(torch.zeros({fan_in}))"
        case _:
            return f"nn.Linear({query_width}, {fan_in})"


def mixture(gate: str, mix: Mix, query: str) -> tuple[str, str]:
    """The function that mixes, and what it is given beside the sources.

    Args:
        gate: the attribute.
        mix: which gate it is.
        query: expression of its query, empty without one.
    """
    match mix.gate:
        case GateKind.FREE | GateKind.HARD_CONCRETE:
            return "weigh", gate
        case GateKind.DSELECT_K | GateKind.CONTROLLER:
            return "weigh", f"{gate}({query})"
        case GateKind.ATTENTION:
            return "mix", f"{gate}(sources)"
        case GateKind.BINARY:
            return "weigh", f"opened({gate if mix.query == STATIC_QUERY else f'{gate}({query})'})"
        case _:
            return "mix", gate if mix.query == STATIC_QUERY else f"{gate}({query})"


def sees_rows(mix: Mix) -> bool:
    """Whether the values differ from row to row, and so from step to step where sequences are mixed."""
    return mix.gate is GateKind.ATTENTION or (mix.gate.takes_query and mix.query != STATIC_QUERY)


def weights_of(gate: Gate, index: int, name: str, settings: Mapping[str, float]) -> Iterator[Named]:
    """One junction's numbers (K = 1) under the attribute's name."""
    found = gate.of_junction(index, 0)
    match gate:
        case LogitGate():
            (query,) = gate.queries[index]
            bias = found[f"{query}/bias"]
            yield from [(name, bias)] if query == STATIC_QUERY else linear(name, found[f"{query}/weight"], bias)
        case FreeGate():
            yield name, found["values"]
        case HardConcreteGate():
            yield name, _evaluated(found["log_alpha"], dict(GATE_SETTINGS) | dict(settings))
        case DSelectGate():
            yield f"{name}.bias", found["bias"]
            if "weight" in found:
                yield f"{name}.weight", found["weight"]
        case ControllerGate():
            (query,) = gate.queries[index]
            yield from ((f"{name}.{part}", found[f"{query}/{part}"]) for part in gate.parts_of(query))
        case AttentionGate():
            yield f"{name}.keys", found["keys"]
            yield f"{name}.asks", found["asks"]


def _evaluated(log_alpha: Tensor, settings: Mapping[str, float]) -> Tensor:
    """The value of a hard concrete connection without noise (METHODS.md section 2)."""
    low, high = settings["stretch_low"], settings["stretch_high"]
    return (log_alpha.sigmoid() * (high - low) + low).clamp(0, 1)
