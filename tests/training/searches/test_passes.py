"""What searches over shared weights are charged: a count of the rows that go through their networks agrees with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import safetensors.torch
import torch

import search_spaces
from mtnas.search.budgets.foreseen import passes_of_proposals, passes_of_steps
from mtnas.search.budgets.passes import Passes, learning
from mtnas.search.specs.supernet_specs import OneShotSearch, SharedWeightsSearch
from mtnas.training.recipe import Recipe
from mtnas.training.searches.pass_rows import pass_rows
from mtnas.training.searches.shared_supernet import SharedWeights
from mtnas.training.searches.supernet_search import SupernetSearch
from tests.training.problem import INPUTS, PARTS, TASKS, arrays
from tests.training.search_rounds import RECIPE, SEARCHES, SETTINGS, finished, search

OWN_ROWS = Recipe(batch_size=8, epochs=2, own_rows=True)
NUM_SAMPLES = 5


@dataclass
class Counted:
    """Rows that went through, with and without a gradient to come."""

    with_gradient: int = 0
    without: int = 0

    @property
    def thirds(self) -> int:
        """Rows of forward passes, a backward pass being two."""
        return 3 * self.with_gradient + self.without


@contextmanager
def counted(made: SupernetSearch) -> Iterator[Counted]:
    """Counts at the door of the network, where every pass begins, a row as often as route groups read it."""
    found, copies = Counted(), [1]

    def count(_module: Any, _arguments: Any, encoded_KBW: torch.Tensor) -> None:
        if torch.is_grad_enabled():
            found.with_gradient += encoded_KBW.shape[1] * copies[0]
        else:
            found.without += encoded_KBW.shape[1] * copies[0]

    def begin(_module: Any, _arguments: Any, named: dict[str, Any]) -> None:
        copies[0] = named.get("copies", 1)

    def end(*_: Any) -> None:
        copies[0] = 1

    hooks = [
        made.net.register_forward_pre_hook(begin, with_kwargs=True),
        made.net.encoder.register_forward_hook(count),
        made.net.register_forward_hook(end),
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def charged(made: SupernetSearch) -> float:
    return made.candidate_steps * 3 * made.weights.step_rows / made.num_networks


@pytest.mark.parametrize("recipe", [RECIPE, OWN_ROWS], ids=["rows of all tasks", "own rows"])
@pytest.mark.parametrize("name", SEARCHES)
class TestEverySearch:
    def test_is_charged_all_that_goes_through_its_networks_and_no_more_than_foreseen(
        self, name: str, recipe: Recipe
    ) -> None:
        """Exactly what is foreseen for its steps; routes to propose may be fewer than asked for."""
        made, rows = search(name, SETTINGS[:2], recipe=recipe), pass_rows(arrays(), recipe)
        assert rows.step == made.weights.step_rows
        with counted(made) as found:
            finished(made)
            assert charged(made) == pytest.approx(found.thirds, rel=1e-12)
            weights = made.step * made.weights.step_rows
            assert (found.with_gradient + found.without > weights) == (name not in ("one_shot", "sparse_sharing"))
            before = made.weights.passes
            proposals = made.proposals(NUM_SAMPLES)
        assert charged(made) == pytest.approx(found.thirds, rel=1e-12)
        assert found.without >= PARTS["search"]
        assert before == passes_of_steps(SEARCHES[name], rows, first=0, steps=made.total_steps)
        most = before + passes_of_proposals(SEARCHES[name], rows, num_samples=NUM_SAMPLES)
        assert before.forward < made.weights.passes.forward <= most.forward
        assert made.weights.passes.backward == before.backward
        if max(map(len, proposals)) == NUM_SAMPLES + 1 or name == "sparse_sharing":
            assert made.weights.passes == most


@pytest.mark.parametrize("name", SEARCHES)
class TestEverySearchThatGoesOn:
    def test_is_charged_the_same_after_a_resume(self, name: str) -> None:
        whole = search(name, SETTINGS[:2], recipe=OWN_ROWS)
        states = [safetensors.torch.save({n: t.contiguous() for n, t in whole.state().items()}) for _ in whole.run()]
        resumed = search(name, SETTINGS[:2], recipe=OWN_ROWS)
        resumed.load_state(safetensors.torch.load(states[len(states) // 2]))
        assert 0 < resumed.candidate_steps < whole.candidate_steps
        assert finished(resumed).candidate_steps == whole.candidate_steps
        whole.proposals(3)
        resumed.proposals(3)
        assert resumed.candidate_steps == whole.candidate_steps

    def test_is_charged_for_going_on_what_is_foreseen_from_there(self, name: str) -> None:
        """Under a schedule of its own length, as an extension has it."""
        short, rows = finished(search(name, recipe=OWN_ROWS, most_steps=6)), pass_rows(arrays(), OWN_ROWS)
        longer = search(name, recipe=OWN_ROWS, most_steps=10)
        longer.load_state(short.state())
        more = passes_of_steps(SEARCHES[name], rows, first=6, steps=10)
        assert finished(longer).weights.passes == short.weights.passes + more


def test_networks_are_charged_each() -> None:
    one, two = (finished(search("gumbel", SETTINGS[:number])) for number in (1, 2))
    assert two.candidate_steps == 2 * one.candidate_steps
    pruned = finished(search("sparse_sharing", SETTINGS[:2]))
    assert pruned.candidate_steps == pruned.step * 2 * len(TASKS)


def test_a_prior_is_charged_a_backward_pass_for_every_task() -> None:
    plain = SEARCHES["reinforce"]
    leaning = plain.model_copy(update={"prior": 2.0})
    made = search("reinforce", searches=[leaning])
    with counted(made) as found:
        finished(made)
    batches = PARTS["search"] // 32
    affinity = learning(32, backward=len(TASKS)) * batches
    assert made.weights.passes == finished(search("reinforce")).weights.passes + affinity
    more_backward = 2 * 32 * batches * (len(TASKS) - 1)
    assert charged(made) == pytest.approx(found.thirds + more_backward, rel=1e-12)
    assert made.weights.passes == passes_of_steps(leaning, pass_rows(arrays(), RECIPE), first=0, steps=made.step)


@pytest.mark.parametrize(
    "change", [{"routes_per_step": 6}, {"reward_rows": 16}, {"policy_every": 3}, {"warmup": 0.6}, {"prior": 1.0}]
)
def test_what_a_policy_passes_is_foreseen_from_each_number(change: dict[str, float]) -> None:
    spec = SEARCHES["reinforce"].model_copy(update=change)
    assert foreseen_as_charged(spec, "reinforce") != foreseen_as_charged(SEARCHES["reinforce"], "reinforce")


@pytest.mark.parametrize("change", [{"architecture_rows": 16}, {"architecture_every": 3}, {"warmup": 0.6}])
def test_what_an_architecture_passes_is_foreseen_from_each_number(change: dict[str, float]) -> None:
    spec = SEARCHES["darts"].model_copy(update=change)
    assert foreseen_as_charged(spec, "darts") != foreseen_as_charged(SEARCHES["darts"], "darts")


def foreseen_as_charged(spec: SharedWeightsSearch, name: str) -> Passes:
    made = finished(search(name, searches=[spec]))
    assert made.weights.passes == passes_of_steps(spec, pass_rows(arrays(), RECIPE), first=0, steps=made.step)
    return made.weights.passes


def test_co_training_passes_no_further_rows() -> None:
    spec = SEARCHES["reinforce"].model_copy(update={"co_training": 0.5})
    assert foreseen_as_charged(spec, "reinforce") == foreseen_as_charged(SEARCHES["reinforce"], "reinforce")


def test_evolution_in_a_space_that_is_soon_exhausted_evaluates_no_more_than_it_may() -> None:
    options = {"layers": 1, "subnets": 2, "width": 4, "queries": ["input"]}
    tiny = replace(search_spaces.build("mtnas", TASKS, options), inputs=INPUTS)
    size = len(list(tiny.enumerate()))
    for evaluations in (size - 1, 10 * size):
        spec = OneShotSearch(evaluations=evaluations, population=size // 2, tournament=2)
        made = finished(search("one_shot", SETTINGS, searches=[spec] * len(SETTINGS), within=tiny))
        before = made.weights.passes
        made.candidates(3)
        tried = (made.weights.passes.forward - before.forward) / PARTS["search"]
        assert size // 2 <= tried <= min(evaluations, size)


def test_rewinding_weights_takes_no_charge_back() -> None:
    made = search("sparse_sharing")
    assert isinstance(made.weights, SharedWeights)
    charges = [made.candidate_steps for _ in made.steps()]
    assert charges == sorted(set(charges))


def test_settings_of_the_weights_change_no_charge() -> None:
    calm, wild = (finished(search("gumbel", [s])) for s in (SETTINGS[0], replace(SETTINGS[0], lr=1e30)))
    assert calm.candidate_steps == wild.candidate_steps
