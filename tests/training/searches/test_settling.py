"""A search ends when nothing is left to decide, and the state of one that has ended says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.training.search_rounds import RECIPE, SEARCHES, SETTINGS, search

LONG = replace(RECIPE, epochs=10)
FAST = {"settle": True, "lr": 2.0, "warmup": 0.0, "entropy": 0.0}


def made(**changes: object):  # type: ignore[no-untyped-def]
    spec = SEARCHES["reinforce"].model_copy(update=FAST | changes)
    return search("reinforce", SETTINGS[:1], searches=[spec], recipe=LONG)


def test_a_decided_search_ends_before_its_steps_are_over() -> None:
    settling, patient = made(), made(settle=False)
    pulses = list(settling.run())
    assert settling.is_settled
    assert pulses[-1].step == settling.step < settling.total_steps
    for _ in patient.run():
        pass
    assert patient.step == patient.total_steps
    assert not patient.is_settled
    assert settling.entropies[-1].item() < 0.02 * settling.entropies.max().item() or settling.entropies[-1] < 1


def test_one_that_moves_on_goes_on() -> None:
    slow = made(lr=1e-3)
    for _ in slow.run():
        pass
    assert slow.step == slow.total_steps


def test_a_search_that_had_settled_when_it_was_saved_takes_no_further_step() -> None:
    first, again = made(), made()
    for _ in first.run():
        pass
    again.load_state(first.state())
    assert list(again.run()) == []
    assert again.step == first.step
    assert torch.equal(again.entropies, first.entropies)


@pytest.mark.parametrize("stop_at", [1, 3])
def test_a_resumed_search_settles_where_it_would_have(stop_at: int) -> None:
    whole, first, again = made(), made(), made()
    for _ in whole.run():
        pass
    for number, _ in enumerate(first.run(), start=1):
        if number == stop_at:
            break
    again.load_state(first.state())
    for _ in again.run():
        pass
    assert again.step == whole.step
    assert torch.equal(again.entropies, whole.entropies)
