"""Gates: how the active connections of a junction get their values, one kind a file."""

from mtnas.supernets.gates.attention import AttentionGate
from mtnas.supernets.gates.binary import BinaryGate
from mtnas.supernets.gates.controller import ControllerGate
from mtnas.supernets.gates.dselect_k import DSelectGate
from mtnas.supernets.gates.free import FreeGate
from mtnas.supernets.gates.gate import Gate, Gated, Mixing
from mtnas.supernets.gates.hard_concrete import HardConcreteGate
from mtnas.supernets.gates.logits import LogitGate
from mtnas.supernets.gates.softmax import SoftmaxGate

__all__ = [
    "AttentionGate",
    "BinaryGate",
    "ControllerGate",
    "DSelectGate",
    "FreeGate",
    "Gate",
    "Gated",
    "HardConcreteGate",
    "LogitGate",
    "Mixing",
    "SoftmaxGate",
]
