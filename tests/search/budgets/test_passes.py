"""Candidate-steps made of passes, and how many steps fit into a budget of them."""

from __future__ import annotations

import pytest

from mtnas.search.budgets.foreseen import most_steps, passes_of_steps
from mtnas.search.budgets.passes import PassRows, learning, looking
from mtnas.search.specs.supernet_specs import ReinforceSearch


def test_a_step_of_the_weights_is_one_and_a_look_at_as_many_rows_a_third() -> None:
    assert learning(64).candidate_steps(64) == 1
    assert looking(64).candidate_steps(64) == pytest.approx(1 / 3)
    assert learning(16).candidate_steps(64) == 0.25
    assert (learning(64) * 3 + looking(192)).candidate_steps(64) == 4


class TestMostSteps:
    ROWS = PassRows(step=64, evaluation=40, labelled=40, num_tasks=2, own_rows=False)
    SPEC = ReinforceSearch(routes_per_step=4, reward_rows=16, policy_every=2)

    def foreseen(self, steps: int) -> float:
        return passes_of_steps(self.SPEC, self.ROWS, first=0, steps=steps).candidate_steps(self.ROWS.step)

    @pytest.mark.parametrize("most", [1.4, 2, 10, 33.3, 100])
    def test_as_many_as_fit_and_no_more(self, most: float) -> None:
        found = most_steps(self.foreseen, most, least=1, whole=1000)
        assert self.foreseen(found) <= most < self.foreseen(found + 1)

    def test_never_more_than_the_whole_nor_less_than_the_least(self) -> None:
        assert most_steps(self.foreseen, 1e9, least=1, whole=50) == 50
        assert most_steps(self.foreseen, 0.0, least=7, whole=50) == 7
        assert most_steps(self.foreseen, 0.0, least=50, whole=50) == 50
