"""One-shot search: every choice as often as any other while the weights learn, and the best score afterwards."""

from __future__ import annotations

import pytest
import torch

from mtnas.routes import canonical_route
from mtnas.search.shared_weights import OneShotSearch
from mtnas.training.evaluate import label_scales, score
from mtnas.training.noise import Noise
from mtnas.training.one_shot import OneShotSearcher
from mtnas.training.policy import RoutePolicy
from tests.training.problem import TASKS
from tests.training.searches import SEARCHES, SETTINGS, finished, search, space_of
from tests.training.spaces import SPACES

CPU = torch.device("cpu")


def made(**changes: int) -> OneShotSearcher:
    found = finished(search("one_shot", searches=[SEARCHES["one_shot"].model_copy(update=changes)]))
    assert isinstance(found, OneShotSearcher)
    return found


@pytest.mark.parametrize("name", ["layers", "blocks", "few, two gates", "few, one parent"])
@pytest.mark.parametrize("num_groups", [1, 4, 5])
def test_every_alternative_comes_up_equally_often(name: str, num_groups: int) -> None:
    policy = RoutePolicy(SPACES[name], 2, CPU)
    noise = Noise(seeds=[0, 1], dropout=[0.0, 0.0], device=CPU)
    sizes = {part.logits.shape[-1] for part in policy.parts}  # type: ignore[attr-defined]
    for size in sizes:
        steps = -(-2 * size // num_groups)
        drawn = [policy.fair(noise, step * num_groups, num_groups, [3, 4]) for step in range(steps)]
        routes = [route for selection in drawn for route in policy.routes(selection)[0]][: 2 * size]
        for junction in SPACES[name].graph.junctions:
            mixes = [route.mix_of()[junction.name] for route in routes]
            alternatives = len(list(SPACES[name].mixes(junction)))
            if alternatives == size:
                assert sorted(mixes.count(mix) for mix in set(mixes)) == [2] * size


def test_searches_of_other_seeds_have_other_orders() -> None:
    policy = RoutePolicy(SPACES["layers"], 2, CPU)
    selection = policy.fair(Noise(seeds=[0, 1], dropout=[0.0, 0.0], device=CPU), 0, 6, [3, 4])
    assert not torch.equal(selection.edges[0], selection.edges[1])


def test_the_derived_route_has_the_best_score_of_all_it_tried() -> None:
    found = made(evaluations=20)
    scales = label_scales(found.data, found.tasks, ("train",))
    routes = found.candidates(30)[0]
    scores = [score(TASKS, found.weights.inherited([route]), scales).item() for route in routes]
    assert len(routes) == 20
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("changes", [{"evaluations": 6}, {"population": 8}, {"tournament": 4}])
def test_every_number_of_the_evolution_changes_what_is_tried(changes: dict[str, int]) -> None:
    def tried(found: OneShotSearcher) -> list[str]:
        return [canonical_route(space_of("one_shot").graph, route).text for route in found.candidates(100)[0]]

    assert tried(made()) != tried(made(**changes))


def test_evolution_follows_the_seed_of_its_search() -> None:
    one, two = (
        finished(search("one_shot", [settings], searches=[OneShotSearch(evaluations=8, population=4)])).candidates(9)
        for settings in SETTINGS[:2]
    )
    assert one != two
