"""What every search over shared weights promises: where it learns from, that it resumes, that packs change nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from mtnas.routes import canonical_route
from mtnas.search.specs.gradient_specs import DartsSearch, GradientSearch
from mtnas.spaces import Constraints
from mtnas.training.searches.gradient import GradientSearcher
from mtnas.training.searches.supernet_search import Proposal, SupernetSearch
from tests.training.problem import arrays, with_labels
from tests.training.search_rounds import EXACT, SEARCHES, SETTINGS, finished, learned, search, space_of

GRADIENTS = [name for name, spec in SEARCHES.items() if isinstance(spec, GradientSearch)]
# Of the job, but for the last: test_screening.py, test_settling.py.
COMMON = {"kind", "epochs", "searches", "vary", "least_steps", "screen", "settle"}
EVERYWHERE: Mapping[str, Any] = {
    "routes_per_step": 2,
    "warmup": 0.5,
    "co_training": 0.5,
    "architecture_rows": 16,
    "architecture_every": 2,
    "lr": 0.2,
}
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "darts": {"temperature": 2.0, "entropy": 0.5},
    "gumbel": {
        "initial": 0.8,
        "temperature": 4.0,
        "temperature_floor": 1.5,
        "budget": 0.2,
        "budget_weight": 1.0,
        "entropy": 0.5,
        "entropy_power": 0.5,
    },
    "branching": {"temperature": 2.0, "temperature_floor": 1.0, "cost": 1.0},
    "adashare": {"temperature": 4.0, "temperature_floor": 1.0, "sparsity": 0.5, "sharing": 0.5, "curriculum": 0.0},
    "automtl": {"temperature": 3.0, "roundings": 2},
    "snr": {"temperature": 0.5, "stretch_low": -0.3, "stretch_high": 1.4, "l0": 0.3},
    "dselect_k": {"k": 1, "smooth_step": 2.0, "dselect_entropy": 0.5, "dselect_mass": 0.5, "per_example": True},
}


def same(one: Mapping[str, Tensor], two: Mapping[str, Tensor], prefix: str = "") -> bool:
    return all(torch.equal(tensor, two[name]) for name, tensor in one.items() if name.startswith(prefix))


@dataclass(frozen=True, slots=True)
class Done:
    """A search that has ended, its state then, and what it proposed."""

    made: SupernetSearch
    state: Mapping[str, Tensor]
    proposals: Sequence[Sequence[Proposal]]


@cache
def plain(name: str) -> Done:
    """The search as it stands: done once, looked at by many tests."""
    made = finished(search(name))
    state = {key: tensor.clone() for key, tensor in made.state().items()}
    return Done(made, state, made.proposals(3))


def changes(name: str, one: SupernetSearch, other: SupernetSearch) -> bool:
    """Whether two searches learned different things."""
    both = learned(one), learned(other)
    if name == "automtl":  # ends as one route, so the way there is what differs
        both = tuple(made.state()["weights.weights"] for made in (one, other))  # type: ignore[assignment]
    return both[0].shape != both[1].shape or bool((both[0] - both[1]).abs().max() > 1e-5)


def shuffled(labels: Any) -> Any:
    return np.random.default_rng(9).permutation(labels)


def assert_same_search(alone: SupernetSearch, pack: SupernetSearch, k: int) -> None:
    """What search k of a pack learned, weights and architecture, is to 1e-9 what the search alone learned (float64)."""
    mine, theirs = alone.state(), pack.state()
    for key in {"weights.weights", "architecture.weights", "policy.weights", "mask"} & mine.keys():
        rows = len(mine[key])  # several of one search where every task has a network of its own
        assert mine[key].dtype == torch.float64
        torch.testing.assert_close(mine[key], theirs[key][k * rows : (k + 1) * rows], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SEARCHES)
class TestEverySearch:
    def test_goes_on_from_its_state_to_the_same_end_bit_by_bit(self, name: str) -> None:
        whole = search(name, SETTINGS[:2])
        states = {
            pulse.step: safetensors.torch.save({n: t.contiguous() for n, t in whole.state().items()})
            for pulse in whole.run()
        }
        end, proposals = whole.state(), whole.proposals(4)
        for step in (3, 8, 13):
            resumed = search(name, SETTINGS[:2])
            resumed.load_state(safetensors.torch.load(states[step]))
            assert same(end, finished(resumed).state())
            assert resumed.proposals(4) == proposals

    def test_is_in_a_pack_what_it_is_alone(self, name: str) -> None:
        """As exactly as a candidate that trains alone (issue 5): whatever leaks between searches is far larger."""
        pack = finished(search(name, SETTINGS, recipe=EXACT))
        proposals = pack.proposals(2)
        for k, settings in enumerate(SETTINGS):
            alone = finished(search(name, [settings], recipe=EXACT))
            assert_same_search(alone, pack, k)
            (single,) = alone.proposals(2)
            assert [p.route for p in single] == [p.route for p in proposals[k]]

    def test_follows_its_seed(self, name: str) -> None:
        first, again = plain(name), finished(search(name))
        assert same(first.state, again.state())
        assert first.proposals == again.proposals(3)
        other = finished(search(name, [replace(SETTINGS[0], seed=8)]))
        assert not torch.equal(learned(first.made), learned(other))

    def test_never_looks_at_valid_or_test(self, name: str) -> None:
        poisoned = arrays()
        for part in ("valid", "test"):
            poisoned = with_labels(poisoned, part, lambda labels: labels * np.nan)
        first, second = plain(name), finished(search(name, found=poisoned))
        assert same(first.state, second.state())
        assert first.proposals == second.proposals(3)

    def test_proposes_distinct_routes_of_its_space_the_derived_one_first(self, name: str) -> None:
        made = finished(search(name, SETTINGS[:2]))
        space = space_of(name)
        for proposals in made.proposals(6):
            texts = [canonical_route(space.graph, proposal.route).text for proposal in proposals]
            assert 1 <= len(texts) == len(set(texts)) <= 7
            assert [proposal.derived for proposal in proposals] == [True] + [False] * (len(proposals) - 1)
            assert all(space.contains(canonical_route(space.graph, proposal.route)) for proposal in proposals)

    def test_proposes_nothing_beyond_the_constraints(self, name: str) -> None:
        cheapest = space_of(name).cost(space_of(name).cheapest()).num_params
        within = replace(space_of(name), constraints=Constraints(max_params=cheapest + 40))
        (proposals,) = finished(search(name, within=within)).proposals(4)
        assert proposals
        assert all(within.contains(canonical_route(within.graph, proposal.route)) for proposal in proposals)

    def test_stops_after_the_most_steps(self, name: str) -> None:
        made = finished(search(name, most_steps=5))
        assert made.step == made.total_steps == 5
        assert made.proposals(1)[0]

    def test_that_diverged_proposes_nothing_and_leaves_the_others_alone(self, name: str) -> None:
        calm = finished(search(name, SETTINGS[:2]))
        wild = finished(search(name, [replace(SETTINGS[0], lr=1e30), SETTINGS[1]]))
        proposals = wild.proposals(3)
        assert proposals[0] == []
        assert [p.route for p in proposals[1]] == [p.route for p in calm.proposals(3)[1]]


@pytest.mark.parametrize("name", GRADIENTS)
class TestEveryGradientSearch:
    """METHODS.md section 9: architecture trained on the weight-training split, sampling at evaluation."""

    def test_trains_no_weights_on_search_rows(self, name: str) -> None:
        still = [SEARCHES[name].model_copy(update={"lr": 1e-30} | ({"roundings": 0} if name == "automtl" else {}))]
        poisoned = with_labels(arrays(), "search", shuffled)
        first, second = (finished(search(name, found=f, searches=still)).state() for f in (arrays(), poisoned))
        assert same(first, second, "weights.")
        assert not torch.equal(first["scale"], second["scale"])

    def test_trains_no_architecture_on_train_rows(self, name: str) -> None:
        still = [replace(SETTINGS[0], lr=0.0, weight_decay=0.0)]
        poisoned = with_labels(arrays(), "train", shuffled)
        first, second = (finished(search(name, still, found=found)).state() for found in (arrays(), poisoned))
        assert same(first, second, "architecture.")
        assert not same(first, second, "weights.")

    def test_learns_on_search_rows(self, name: str) -> None:
        poisoned = with_labels(arrays(), "search", shuffled)
        assert not torch.equal(learned(plain(name).made), learned(finished(search(name, found=poisoned))))

    def test_keeps_its_architecture_until_the_weights_are_warm(self, name: str) -> None:
        made = search(name, most_steps=16)
        before = learned(made).clone()
        for pulse in made.run():
            if pulse.step == 4:
                assert torch.equal(learned(made), before)
        assert not torch.equal(learned(made), before)

    def test_names_every_number_in_a_test(self, name: str) -> None:
        assert set(type(SEARCHES[name]).model_fields) - COMMON == CHANGES[name].keys() | EVERYWHERE.keys()

    def test_is_changed_by_every_number(self, name: str) -> None:
        """By those that may vary within a pack too: see the next test."""
        for number, value in (EVERYWHERE | CHANGES[name]).items():
            if number in SEARCHES[name].NUMBERS or (
                number == "routes_per_step" and not _draws_routes(plain(name).made)
            ):
                continue
            spec = SEARCHES[name].model_copy(update={number: value})
            assert changes(name, plain(name).made, finished(search(name, searches=[spec]))), number

    def test_is_changed_by_numbers_that_vary_within_one_pack(self, name: str) -> None:
        spec = SEARCHES[name]
        variants, told = [spec], ["as it stands"]
        for number in sorted(spec.NUMBERS):
            values = (getattr(spec, number), (EVERYWHERE | CHANGES[name])[number])
            same_spec, changed = type(spec)(**(spec.model_dump() | {"vary": {number: values}})).variants()
            assert same_spec == spec
            variants.append(changed)
            told.append(number)
        pack = finished(search(name, [SETTINGS[0]] * len(variants), searches=variants, recipe=EXACT))
        alone = [finished(search(name, SETTINGS[:1], searches=[variant], recipe=EXACT)) for variant in variants]
        for k, number in enumerate(told):
            assert_same_search(alone[k], pack, k)
            assert changes(name, alone[0], alone[k]) is (k > 0), number

    def test_evaluates_without_noise(self, name: str) -> None:
        made, ((proposal, *_),) = plain(name).made, plain(name).proposals
        for _ in range(2):
            found = made.weights.inherited([made.in_supernet(proposal.route)])
            for task, metrics in proposal.inherited.items():
                assert metrics == {str(metric): values.item() for metric, values in found[task].items()}


def _draws_routes(made: object) -> bool:
    """Whether a step of the weights has several routes: mixtures and gates have one."""
    assert isinstance(made, GradientSearcher)
    return made.sample(4, step=made.total_steps - 1).num_groups > 1


def test_what_varies_is_checked() -> None:
    with pytest.raises(ValueError, match="unknown numbers"):
        DartsSearch(vary={"epochs": (1, 2)})
    with pytest.raises(ValueError, match="greater than 0"):
        DartsSearch(vary={"lr": (0.1, -1)})
    with pytest.raises(ValueError, match="at most 64"):
        DartsSearch(searches=20, vary={"lr": (0.1, 0.2, 0.3, 0.4)})
