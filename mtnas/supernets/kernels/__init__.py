"""Loops over rows compiled for a CPU (numba): what takes torch many passes over memory takes one here.

The operations of ``normalise``, ``mixing``, ``look_up`` and ``gates.softmax_values`` use them where ``compiled`` says
so; elsewhere, and where numba is not installed, they are made of torch's own operations, which these kernels equal up
to rounding.
"""

from mtnas.supernets.kernels.availability import compiled
from mtnas.supernets.kernels.memory import elements, numbers, rowwise, seen, unsigned

__all__ = ["compiled", "elements", "numbers", "rowwise", "seen", "unsigned"]
