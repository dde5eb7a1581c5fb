"""On planted tasks, a method without the term that defines it ends with another route (PROTOCOL.md point 7).

Where no setting switches the term off, that one piece of the method is put out of action. Every test also says by what
the searches with and without differ, since two long searches never end alike to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mtnas.routes import Route, canonical_route
from mtnas.search.specs.gradient_specs import AdashareSearch, BranchingSearch, DartsSearch, GumbelSearch, SnrSearch
from mtnas.search.specs.supernet_specs import OneShotSearch, ReinforceSearch, SharedWeightsSearch, SparseSharingSearch
from mtnas.spaces import Constraints, SearchSpace
from mtnas.supernets.gates import HardConcreteGate
from mtnas.training.recipe import Recipe
from mtnas.training.searches import reinforce
from mtnas.training.searches.gradient import GradientSearcher
from mtnas.training.searches.gradient.relaxed_architecture import RelaxedArchitecture
from mtnas.training.searches.make_search import make_search
from mtnas.training.searches.one_shot import OneShotSearcher
from mtnas.training.searches.reinforce import ReinforceSearcher
from mtnas.training.searches.shared_supernet import Ground
from mtnas.training.searches.sparse_sharing import SparseSharingSearcher
from mtnas.training.searches.supernet_search import SupernetSearch
from mtnas.training.step.noise import Noise
from mtnas.trials import Settings
from tests.planted.instance import INPUTS, LR, derived, instance, resident, space_for
from tests.training.spaces import with_required

OF = instance((0, 0, 1, 1))
SEEDS = (0, 1)
SHORT = Recipe(batch_size=128, epochs=8)
LAYERS: dict[str, object] = {"layers": 2, "subnets": 2, "width": 4}
DRAWING: dict[str, tuple[str, dict[str, object], SharedWeightsSearch]] = {
    "gumbel": (
        "gumbel_matrix",
        {"layers": 2, "components": 2, "width": 4},
        GumbelSearch(architecture_every=1, initial=0.7, routes_per_step=8, lr=0.1, temperature=5.0),
    ),
    "branching": (
        "branching",
        LAYERS,
        BranchingSearch(architecture_every=1, routes_per_step=8, lr=0.1, cost=0.0, temperature_floor=0.3),
    ),
    "adashare": (
        "adashare",
        {"layers": 3, "width": 4},
        AdashareSearch(architecture_every=1, lr=0.1, temperature_floor=0.3, curriculum=0.5),
    ),
}


def nothing(made: SupernetSearch) -> None:
    """Leave a search as it is."""


def searched(
    space: SearchSpace,
    search: SharedWeightsSearch,
    change: Callable[[Any], None] = nothing,
) -> SupernetSearch:
    """Two searches side by side, changed before they begin."""
    settings = [Settings(lr=LR, seed=seed, data_seed=seed) for seed in SEEDS]
    ground = Ground(space=space, inputs=INPUTS, settings=settings, tasks=OF.tasks, data=resident(OF), recipe=SHORT)
    made = make_search(ground, [search] * len(SEEDS))
    change(made)
    for _ in made.run():
        pass
    return made


def drawing(name: str, change: Callable[[Any], None] = nothing, **numbers: float) -> GradientSearcher:
    kind, options, search = DRAWING[name]
    made = searched(space_for(OF, kind, options), search.model_copy(update=numbers), change)
    assert isinstance(made, GradientSearcher)
    return made


def moved(one: GradientSearcher, two: GradientSearcher) -> float:
    """The largest difference between the probabilities of any edge or block."""
    first, second = (made.architecture.expected() for made in (one, two))  # type: ignore[attr-defined]
    return max((a - b).abs().max().item() for a, b in ((first.edges, second.edges), (first.blocks, second.blocks)))


class Constant(Noise):
    """Draws that are all one number: with 1 / e Gumbel noise is 0, with 1 / 2 that of the hard concrete is."""

    def __init__(self, number: float) -> None:
        super().__init__(seeds=SEEDS, dropout=[0.0] * len(SEEDS), device=torch.device("cpu"))
        self._number = number

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """See ``Noise``."""
        return torch.full((len(SEEDS), *shape), self._number)


def without_noise(number: float) -> Callable[[GradientSearcher], None]:
    def change(made: GradientSearcher) -> None:
        made._noise = made.weights.noise = Constant(number)

    return change


def without_straight_through(made: GradientSearcher) -> None:
    """Weights learn under mixtures, not under routes."""
    architecture = made.architecture
    assert isinstance(architecture, RelaxedArchitecture)
    relaxation = architecture.relaxation
    architecture.relaxation = lambda course: replace(relaxation(course), hard=False)  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def whole() -> Callable[[str], GradientSearcher]:
    """Searches with all their terms, made once."""
    found: dict[str, GradientSearcher] = {}

    def of(name: str) -> GradientSearcher:
        if name not in found:
            found[name] = drawing(name)
        return found[name]

    return of


@pytest.mark.parametrize("name", DRAWING)
class TestDrawing:
    """Gumbel-softmax with a straight-through gradient: Gumbel-Matrix, Learning to Branch, AdaShare."""

    def test_gumbel_noise_decides_the_route(self, name: str, whole: Callable[[str], GradientSearcher]) -> None:
        """Without it every draw is the same route, and what was never drawn never learns."""
        without = drawing(name, without_noise(1 / math.e))
        drawn = without.sample(8, step=20)
        assert all(torch.equal(of[:, :1].expand_as(of), of) for of in (drawn.edges, drawn.blocks))
        assert derived(without) != derived(whole(name))
        assert moved(without, whole(name)) > 0.3

    def test_straight_through_decides_the_route(self, name: str, whole: Callable[[str], GradientSearcher]) -> None:
        without = drawing(name, without_straight_through)
        drawn = without.sample(8, step=20)
        assert any(((of > 0.01) & (of < 0.99)).any() for of in (drawn.edges, drawn.blocks))
        assert derived(without) != derived(whole(name))
        assert moved(without, whole(name)) > 0.3

    def test_the_falling_temperature_decides_the_probabilities(
        self, name: str, whole: Callable[[str], GradientSearcher]
    ) -> None:
        """Draws are routes at any temperature; gradients see past the drawn one while it is high."""
        without = drawing(name, temperature=50.0, temperature_floor=50.0)
        assert moved(without, whole(name)) > 0.1


def test_the_curriculum_of_adashare_decides_the_route(whole: Callable[[str], GradientSearcher]) -> None:
    without = drawing("adashare", curriculum=0.0)
    assert derived(without) != derived(whole("adashare"))
    assert moved(without, whole("adashare")) > 0.3


def test_co_training_decides_the_route(whole: Callable[[str], GradientSearcher]) -> None:
    within = drawing("branching", co_training=1.0)
    assert derived(within) != derived(whole("branching"))
    assert moved(within, whole("branching")) > 0.3


def test_the_noise_of_hard_concrete_gates_decides_where_they_end() -> None:
    space, search = space_for(OF, "snr", LAYERS), SnrSearch(architecture_every=1, l0=0.1, lr=0.05)
    within, without = (searched(space, search, change) for change in (nothing, without_noise(0.5)))
    openness = [
        torch.cat(
            [g.log_alpha.detach().sigmoid().flatten() for g in made.net.modules() if isinstance(g, HardConcreteGate)]
        )
        for made in (within, without)
    ]
    assert derived(within) != derived(without)
    assert (openness[0] - openness[1]).abs().max() > 0.3


def test_fairness_of_one_shot_decides_the_route() -> None:
    """Against paths drawn independently, of which some choice has fewer than its share."""
    space = space_for(OF, "mtnas", LAYERS)
    search = OneShotSearch(evaluations=24, population=8, tournament=4)

    def unfair(made: OneShotSearcher) -> None:
        made._paths.fair = lambda noise, first, count, seeds: made._paths.sample(noise, count).selection  # type: ignore[method-assign]

    fair, free = (searched(space, search, change) for change in (nothing, unfair))
    assert [routes[0] for routes in fair.candidates(1)] != [routes[0] for routes in free.candidates(1)]


def test_the_leave_one_out_baseline_settles_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewards are negative: without a baseline every route that is drawn becomes less probable."""
    space, search = (
        space_for(OF, "branching", LAYERS),
        ReinforceSearch(policy_every=1, lr=0.2, entropy=0.0, settle=False),
    )
    within = searched(space, search)
    monkeypatch.setattr(reinforce, "leave_one_out", lambda rewards: rewards)
    without = searched(space, search)
    assert isinstance(within, ReinforceSearcher)
    assert derived(within) != derived(without)
    assert within.entropy().max() < 0.8 * without.entropy().min()


def test_magnitude_gives_tasks_the_same_components_and_chance_does_not() -> None:
    """Masks from one beginning agree on most components, random ones of the same size on a third."""
    space = space_for(OF, "sparse_sharing", {"layers": 1, "groups": 8, "units": 2, "width": 4})

    def at_random(made: SparseSharingSearcher) -> None:
        generator = torch.Generator().manual_seed(0)

        def magnitudes() -> Iterator[tuple[str, Tensor]]:
            for group, _ in made.net.slot_banks():
                for slot in group.slots:
                    yield slot.name, torch.rand(len(made._mask), generator=generator)

        made._magnitudes = magnitudes  # type: ignore[method-assign]

    search = SparseSharingSearch(rounds=2, keep=0.5)
    by_magnitude, by_chance = (searched(space, search, change) for change in (nothing, at_random))
    assert derived(by_magnitude) != derived(by_chance)
    assert _overlap(by_magnitude) > 1.3 * _overlap(by_chance)


def test_the_cost_budget_of_the_joint_space_decides_the_route() -> None:
    """The search's own answer is too dear; under the budget it answers with routes that keep to it."""
    space = space_for(OF, "joint", {"layers": 1, "components": 3, "width": 4, "max_inputs": 2})
    free = searched(space, DRAWING["branching"][2])
    dearest = max(space.cost(route).num_params for route in derived(free))
    within = replace(space, constraints=Constraints(max_params=dearest - 1))
    bound = searched(within, DRAWING["branching"][2])
    answers = [
        [canonical_route(space.graph, proposals[0].route) for proposals in made.proposals(8)] for made in (free, bound)
    ]
    assert answers[0] != answers[1]
    assert all(within.cost(route).num_params < dearest for route in answers[1])


def test_the_choice_of_queries_decides_the_route_of_mtnas() -> None:
    """Given three queries a search settles on others than the only one it would have had."""

    def queries(offered: Sequence[str]) -> tuple[list[Route], set[str]]:
        space = space_for(OF, "mtnas", LAYERS | {"queries": tuple(offered)})
        space = with_required(space, min_inputs=2, max_inputs=2)  # so that queries are all there is to choose
        routes = derived(searched(space, DartsSearch(architecture_every=1, lr=0.1)))
        return routes, {mix.query for route in routes for _, mix in route.mixes if len(mix.inputs) > 1}

    one, only = queries(["input"])
    three, chosen = queries(["input", "mean", "static"])
    assert only == {"input"}
    assert one != three
    assert chosen - only


def _overlap(made: SupernetSearch) -> float:
    """Mean Jaccard index of the edges that two tasks keep, in ``_mask``: by position among a task's own."""
    assert isinstance(made, SparseSharingSearcher)
    masks = made.state()["mask"].view(len(SEEDS), len(OF.tasks), -1)
    kept: list[list[set[str]]] = [[set() for _ in OF.tasks] for _ in SEEDS]
    names = [task.name for task in OF.tasks]
    for _, source, place, task in made._edges:
        t = names.index(task)
        for k in range(len(SEEDS)):
            if masks[k, t, place]:
                kept[k][t].add(source.replace(task, ""))
    pairs = [(of[a], of[b]) for of in kept for a in range(len(names)) for b in range(a)]
    return sum(len(a & b) / len(a | b) for a, b in pairs) / len(pairs)
