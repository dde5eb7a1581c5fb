"""Grids grow while the best lies on their edge, and what is wanted follows from the scores alone."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from mtnas.run.phases.tuning_plan import Pair, Tuned, Tuning

RATES, DECAYS = (1e-3, 3e-3, 1e-2), (0.1, 0.3, 1.0)
ALONE = Tuning(lrs=RATES, decays=(0.3,), extend=2)
BOTH = Tuning(lrs=RATES, decays=DECAYS, extend=2)


def carried_out(tuning: Tuning, score: Callable[[float, float], float]) -> tuple[list[tuple[Pair, ...]], Tuned]:
    """The rounds of trials, and the choice."""
    rounds: list[tuple[Pair, ...]] = []
    scores: dict[Pair, float] = {}
    while wanted := tuning.wanted(scores):
        assert not set(wanted) & set(scores)
        rounds.append(wanted)
        scores |= {pair: score(*pair) for pair in wanted}
    return rounds, tuning.tuned(scores)


def near(lr: float, decay: float) -> Callable[[float, float], float]:
    """Best at one place."""
    return lambda rate, other: -abs(math.log(rate / lr)) - abs(math.log(other / decay))


def test_a_best_in_the_middle_ends_tuning() -> None:
    rounds, found = carried_out(ALONE, near(3e-3, 0.3))
    assert rounds == [tuple((lr, 0.3) for lr in RATES)]
    assert (found.lr, found.weight_decay, found.on_edge) == (3e-3, 0.3, False)
    assert list(found.curve) == list(RATES)


def test_a_best_on_an_edge_widens_the_grid_in_its_own_ratio() -> None:
    rounds, found = carried_out(ALONE, near(0.03, 0.3))
    assert rounds[1:] == [((0.0333, 0.3),), ((0.111, 0.3),)]
    assert (found.lr, found.on_edge) == (0.0333, False)
    rounds, found = carried_out(ALONE, near(3.5e-4, 0.3))
    assert rounds[1:] == [((3.33e-4, 0.3),), ((1.11e-4, 0.3),)]
    assert (found.lr, found.on_edge) == (3.33e-4, False)


def test_growing_ends_and_says_so() -> None:
    rounds, found = carried_out(ALONE, near(10.0, 0.3))
    assert len(rounds) == 3
    assert found.on_edge
    assert found.lr == max(found.curve) == 0.111


def test_decays_are_tried_at_the_best_rate() -> None:
    rounds, found = carried_out(BOTH, near(3e-3, 4.0))
    assert rounds[1:] == [((3e-3, 0.1), (3e-3, 1.0)), ((3e-3, 3.33),), ((3e-3, 11.1),)]
    assert (found.lr, found.weight_decay, found.on_edge) == (3e-3, 3.33, False)
    assert sorted(found.decays) == [0.1, 0.3, 1.0, 3.33, 11.1]


def test_where_all_diverge_smaller_rates_are_tried() -> None:
    rounds, found = carried_out(ALONE, lambda lr, _: 1.0 if lr < 5e-4 else -math.inf)
    assert rounds[1] == ((3.33e-4, 0.3),)
    assert found.lr < 1e-3


def test_no_decay_has_nothing_below() -> None:
    tuning = Tuning(lrs=(1e-3,), decays=(0.0, 0.1, 0.3), extend=2)
    rounds, found = carried_out(tuning, lambda _, decay: -decay)
    assert found.weight_decay == 0.0
    assert len(rounds) == 2


@example(lrs=[1.0], decays=[1.0, 0.99609375], extend=1, lr=1.0, decay=1.0)  # rounds to one that was tried
@given(
    lrs=st.lists(st.floats(1e-5, 1.0), min_size=1, max_size=4, unique=True),
    decays=st.lists(st.floats(1e-4, 3.0), min_size=1, max_size=4, unique=True),
    extend=st.integers(0, 3),
    lr=st.floats(1e-7, 100.0),
    decay=st.floats(1e-7, 100.0),
)
def test_tuning_ends_within_its_bounds(
    lrs: list[float], decays: list[float], extend: int, lr: float, decay: float
) -> None:
    tuning = Tuning(lrs=tuple(lrs), decays=tuple(decays), extend=extend)
    rounds, found = carried_out(tuning, near(lr, decay))
    growing = (len(lrs) > 1) + (len(decays) > 1)
    assert sum(map(len, rounds)) <= len(lrs) + len(decays) - 1 + growing * extend
    assert found.lr in found.curve
    assert found.weight_decay in found.decays
