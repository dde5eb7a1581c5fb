"""Every kind of gate keeps the contract; a new kind is tried by being in the enumeration."""

from __future__ import annotations

import pytest

from mtnas.routes import GateKind
from tests.contracts.gate_contract import gate_contract, queries_of

CASES = [(kind, query) for kind in GateKind if kind is not GateKind.PASS for query in queries_of(kind)]


@pytest.mark.parametrize(("kind", "query"), CASES)
def test_gate_keeps_the_contract(kind: GateKind, query: str) -> None:
    gate_contract(kind, query)
