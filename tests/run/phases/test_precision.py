"""What a job says of a precision that is slower here than float32."""

from __future__ import annotations

import pytest

from mtnas.data import DataAccess
from mtnas.run import InProcessExecutor
from mtnas.run.memory_journal import MemoryJournal
from mtnas.run.phases import prepare as phase
from tests.run.jobs import TRAINING, spec_of


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
@pytest.mark.parametrize("pays", [True, False])
def test_bfloat16_where_it_is_slower_is_warned_of(
    precision: str, pays: bool, access: DataAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phase, "bfloat16_pays", lambda _: pays)
    journal = MemoryJournal()
    spec = spec_of(training=TRAINING | {"precision": precision})
    phase.prepare(spec, access=access, executor=InProcessExecutor(), journal=journal, device="cpu")
    found = [
        data["text"] for kind, data in journal.events if kind == "warning" and data["where"] == "training.precision"
    ]
    assert bool(found) == (precision == "bfloat16" and not pays)
    assert all("float32 is faster" in text for text in found)
