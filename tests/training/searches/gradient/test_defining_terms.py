"""Not renamed softmax: without the term that defines a method, its gates or its route are others.

Every test switches one term off and says in which direction the answer moves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from mtnas.routes import BlockKind, Route
from mtnas.supernets.gates import DSelectGate, HardConcreteGate
from mtnas.training.measuring.evaluate import evaluate
from mtnas.training.recipe import Recipe
from mtnas.training.searches.choices import BlockChoices
from mtnas.training.searches.gradient import GradientSearcher
from mtnas.training.searches.gradient.architecture import Course
from mtnas.training.searches.gradient.gumbel import GumbelMatrix
from mtnas.training.searches.gradient.relaxed_architecture import RelaxedArchitecture
from mtnas.training.searches.relaxation import CERTAIN
from tests.training.search_rounds import SEARCHES, SETTINGS, finished, search, space_of

LONG = Recipe(batch_size=32, epochs=6)


def searched(name: str, **changes: Any) -> GradientSearcher:
    spec = SEARCHES[name].model_copy(update=changes)
    made = finished(search(name, searches=[spec], recipe=LONG))
    assert isinstance(made, GradientSearcher)
    return made


def derived(made: GradientSearcher) -> Route:
    return made.candidates(1)[0][0]


def num_connections(made: GradientSearcher) -> int:
    return sum(len(mix.inputs) for _, mix in derived(made).mixes)


def relaxed(made: GradientSearcher) -> RelaxedArchitecture[Any]:
    assert isinstance(made.architecture, RelaxedArchitecture)
    return made.architecture


class TestGumbel:
    OFF: Mapping[str, Any] = {"budget_weight": 0.0, "entropy": 0.0}

    def test_the_budget_takes_components_away(self) -> None:
        def use(made: GradientSearcher) -> float:
            assert isinstance(made.architecture, GumbelMatrix)
            return made.architecture._use.of_each_task(made.architecture.expected()).mean().item()

        without = searched("gumbel", **self.OFF)
        within = searched("gumbel", **self.OFF | {"budget_weight": 3.0, "budget": 0.4})
        assert use(within) < 0.45 < use(without)
        assert num_connections(within) < num_connections(without)

    def test_the_entropy_term_settles_the_coins(self) -> None:
        without, within = (searched("gumbel", **self.OFF | {"entropy": e}) for e in (0.0, 0.3))
        assert within.entropy().item() < 0.5 * without.entropy().item()

    def test_samples_are_routes_while_weights_learn(self) -> None:
        made = searched("gumbel", **self.OFF)
        edges = made.sample(8, step=50).edges
        assert set(edges.detach().unique().tolist()) == {0.0, 1.0}
        assert len(edges.detach()[0].unique(dim=0)) > 1  # of which several are in a batch

    def test_the_temperature_falls_with_the_root_of_the_updates_of_tasks(self) -> None:
        made = searched("gumbel", temperature=50.0, temperature_floor=0.5)

        def temperature(step: int) -> float:
            return float(relaxed(made).relaxation(Course(step=step, warm=0, total_steps=10**6)).temperature)

        updates = 33 * len(made.tasks)
        assert temperature(0) == 50
        assert temperature(33) == pytest.approx(50 / math.sqrt(updates + 1))
        assert temperature(10**5) == 0.5


class TestSnr:
    def test_the_penalty_closes_connections(self) -> None:
        without, within = (searched("snr", l0=weight) for weight in (0.0, 0.3))
        assert num_connections(within) < num_connections(without)

    def test_noise_shakes_the_gates_while_they_learn_and_not_afterwards(self) -> None:
        made = searched("snr")
        (gate,) = {type(module) for module in made.net.modules() if isinstance(module, HardConcreteGate)}
        assert gate is HardConcreteGate
        first, second = (made.candidates(4)[0] for _ in range(2))
        assert first[0] == second[0]
        assert len({route.text for route in first[1:]}) > 1

    def test_stretching_is_what_closes_gates_exactly(self) -> None:
        """A distribution that hardly reaches beyond 0 has no zeros for the same log alpha."""
        wide, narrow = (searched("snr", l0=0.3, stretch_low=low) for low in (-0.5, -1e-6))
        assert num_connections(wide) < num_connections(narrow)


class TestDselectK:
    def test_the_entropy_term_settles_the_codes(self) -> None:
        without, within = (searched("dselect_k", dselect_entropy=e) for e in (0.0, 0.3))
        assert within.entropy().item() < without.entropy().item()

    @pytest.mark.parametrize("k", [1, 2])
    def test_a_route_has_at_most_k_sources(self, k: int) -> None:
        made = searched("dselect_k", k=k, dselect_entropy=0.1)
        assert max(len(mix.inputs) for _, mix in derived(made).mixes) <= k
        assert {g.selectors for g in made.net.modules() if isinstance(g, DSelectGate)} == {k}

    def test_stray_codes_are_driven_onto_sources(self) -> None:
        """Three sources leave one of the four codes without a name."""

        def mass(made: GradientSearcher) -> float:
            gates = [gate for gate in made.net.modules() if isinstance(gate, DSelectGate)]
            codes = torch.cat([gate.biases[:, :, gate.selectors :].detach() for gate in gates], 1)
            both = torch.sigmoid(4 * codes).view(*codes.shape[:2], -1, 2).prod(-1)
            return float(both.mean())

        without, within = (searched("dselect_k", dselect_mass=weight, dselect_entropy=0.0) for weight in (0.0, 3.0))
        assert mass(within) < mass(without)


class TestBranching:
    def test_the_expected_cost_merges_branches(self) -> None:
        without, within = (searched("branching", cost=weight) for weight in (0.0, 3.0))
        space = space_of("branching")
        params = [space.cost(derived(made)).num_params for made in (within, without)]
        assert params[0] < params[1]

    def test_every_draw_is_a_tree(self) -> None:
        edges = searched("branching").sample(8, step=20).edges
        assert set(edges.detach().unique().tolist()) == {0.0, 1.0}
        for junction in space_of("branching").graph.junctions:
            if len(junction.edges) > 1:
                at = [i for i, j in enumerate(_edge_owners(space_of("branching"))) if j == junction.name]
                assert torch.equal(edges.detach()[..., at].sum(-1), torch.ones(1, 8))


class TestAdaShare:
    OFF: Mapping[str, Any] = {"sparsity": 0.0, "sharing": 0.0, "curriculum": 0.0}

    def test_sparsity_skips_blocks(self) -> None:
        def skipped(made: GradientSearcher) -> int:
            return sum(block.kind is BlockKind.IDENTITY for _, block in derived(made).blocks)

        without, within = (searched("adashare", **self.OFF | {"sparsity": weight}) for weight in (0.0, 3.0))
        assert skipped(within) > skipped(without)

    def test_sharing_draws_tasks_together(self) -> None:
        def spread(made: GradientSearcher) -> float:
            executed = made.architecture.expected().blocks[0, 0, made.architecture._skip_at]  # type: ignore[attr-defined]
            return float(executed.detach().view(-1, 3).std(1).mean())

        without, within = (searched("adashare", **self.OFF | {"sharing": weight}) for weight in (0.0, 3.0))
        assert spread(within) < spread(without)

    def test_the_curriculum_opens_blocks_from_the_top(self) -> None:
        made = search("adashare", searches=[SEARCHES["adashare"].model_copy(update={"curriculum": 1.0})], recipe=LONG)
        assert isinstance(made, GradientSearcher)
        levels = sorted({slot.layer for slot in made.space.graph.slots if len(slot.choices) > 1})
        opened = [_open_levels(made) for _ in made.run()]
        assert opened[0] == {levels[-1]}
        assert opened[-1] == set(levels)
        assert all(earlier <= later for earlier, later in pairwise(opened))
        assert len({frozenset(of_pulse) for of_pulse in opened}) == len(levels)


class TestAutoMtl:
    def test_roundings_end_in_one_route(self) -> None:
        rounded, open_ = (searched("automtl", roundings=rounds) for rounds in (4, 0))
        assert rounded.entropy().item() == 0
        assert open_.entropy().item() > 1
        for choice in (rounded.sample(1, step=90).edges, rounded.sample(1, step=90).blocks):
            assert set(choice.detach().unique().tolist()) <= {0.0, 1.0}

    def test_the_supernet_then_is_the_route(self) -> None:
        """So the route's inherited score is that of the mixture, where it is not without roundings."""
        made = searched("automtl", roundings=3)
        once = made.sample(1, step=90)
        route = derived(made)
        again = made.weights.inherited([made.in_supernet(route)])
        mixture = evaluate(made.net, made.weights.told(once), made.data, made.tasks, ("search",))
        for task, metrics in mixture.items():
            for name, value in metrics.items():
                torch.testing.assert_close(value, again[task][name], rtol=1e-5, atol=1e-6)


def test_the_entropy_term_of_darts_settles_the_mixture() -> None:
    without, within = (searched("darts", entropy=weight) for weight in (0.0, 0.3))
    assert within.entropy().item() < 0.5 * without.entropy().item()


def test_co_training_keeps_rejected_components_learning() -> None:
    """A policy that is sure of one parent leaves the others' weights as they are, unless routes are drawn beside it."""

    def moved(co_training: float) -> bool:
        spec = SEARCHES["branching"].model_copy(update={"co_training": co_training, "lr": 1e-30})
        made = search("branching", [replace(SETTINGS[0], weight_decay=0.0)], searches=[spec])
        assert isinstance(made, GradientSearcher)
        with torch.no_grad():
            for part in relaxed(made).policy.mixes:
                part.logits[..., 0] = 1e4  # type: ignore[operator, index]
        bank = next(iter(made.net.banks.values()))
        before = [p.detach().clone() for p in bank.parameters()]
        finished(made)
        bank = next(iter(made.net.banks.values()))
        return any(not torch.equal(a[:, -1], b[:, -1]) for a, b in zip(before, bank.parameters(), strict=True))

    assert not moved(0.0)
    assert moved(0.5)


def _edge_owners(space: Any) -> list[str]:
    return [junction.name for junction in space.graph.junctions for _ in junction.edges]


def _open_levels(made: GradientSearcher) -> set[int]:
    """Layers with a choice that is not yet, or no longer, certain."""
    found = set()
    for part in relaxed(made).policy.blocks:
        assert isinstance(part, BlockChoices)
        certain = (part.logits[0].amax(-1) > CERTAIN / 2).tolist()
        several = [len(slot.choices) > 1 for slot in part.slots]
        found |= {s.layer for s, sure, choice in zip(part.slots, certain, several, strict=True) if choice and not sure}
    return found
