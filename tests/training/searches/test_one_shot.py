"""One-shot search: every choice as often as any other while the weights learn, and the best score afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mtnas.routes import Route, canonical_route
from mtnas.search.fronts.pareto import front
from mtnas.search.specs.supernet_specs import OneShotSearch
from mtnas.spaces import Constraints, SearchSpace
from mtnas.tasks import Direction, Metric, Objective
from mtnas.training.measuring.evaluate import label_scales, of_candidate, score
from mtnas.training.measuring.gains import mean_gain, task_gains
from mtnas.training.searches.aim import Aim
from mtnas.training.searches.one_shot import OneShotSearcher
from mtnas.training.searches.policy import RoutePolicy
from mtnas.training.step.counted_draws import keys
from mtnas.training.step.noise import Noise
from tests.training.problem import TASKS
from tests.training.search_rounds import SEARCHES, SETTINGS, finished, search, space_of
from tests.training.spaces import SPACES

CPU = torch.device("cpu")


def made(**changes: int) -> OneShotSearcher:
    found = finished(search("one_shot", searches=[SEARCHES["one_shot"].model_copy(update=changes)]))
    assert isinstance(found, OneShotSearcher)
    return found


GAIN = Objective(metric="mean_gain", direction=Direction.MAX)
SIZE = Objective(metric="num_params", direction=Direction.MIN)
LARGE = replace(SIZE, direction=Direction.MAX)
REFERENCE = {task.name: {str(metric): 0.5 for metric in Metric} for task in TASKS}


def aimed(*objectives: Objective, within: SearchSpace | None = None) -> OneShotSearcher:
    """A finished search for a front."""
    spec = SEARCHES["one_shot"].model_copy(update={"evaluations": 24, "population": 8})
    aim = Aim(objectives=objectives, reference=REFERENCE)
    found = finished(search("one_shot", searches=[spec], aim=aim, within=within))
    assert isinstance(found, OneShotSearcher)
    return found


def gain_of(found: OneShotSearcher, route: Route) -> float:
    """The mean gain over the reference that the shared weights give a route."""
    per_task = of_candidate(found.weights.inherited([route]), 0)
    return mean_gain(task_gains(TASKS, per_task, REFERENCE))


@pytest.mark.parametrize("name", ["layers", "blocks", "few, two gates", "few, one parent"])
@pytest.mark.parametrize("num_groups", [1, 4, 5])
def test_every_alternative_comes_up_equally_often(name: str, num_groups: int) -> None:
    policy = RoutePolicy(SPACES[name], 2, CPU)
    noise = Noise(seeds=[0, 1], dropout=[0.0, 0.0], device=CPU)
    sizes = {part.logits.shape[-1] for part in policy.parts}  # type: ignore[attr-defined]
    for size in sizes:
        steps = -(-2 * size // num_groups)
        drawn = [policy.fair(noise, step * num_groups, num_groups, keys([3, 4], CPU)) for step in range(steps)]
        routes = [route for selection in drawn for route in policy.routes(selection)[0]][: 2 * size]
        for junction in SPACES[name].graph.junctions:
            mixes = [route.mix_of()[junction.name] for route in routes]
            alternatives = len(list(SPACES[name].mixes(junction)))
            if alternatives == size:
                assert sorted(mixes.count(mix) for mix in set(mixes)) == [2] * size


def test_searches_of_other_seeds_have_other_orders() -> None:
    policy = RoutePolicy(SPACES["layers"], 2, CPU)
    selection = policy.fair(Noise(seeds=[0, 1], dropout=[0.0, 0.0], device=CPU), 0, 6, keys([3, 4], CPU))
    assert not torch.equal(selection.edges[0], selection.edges[1])


def test_the_derived_route_has_the_best_score_of_all_it_tried() -> None:
    found = made(evaluations=20)
    scales = label_scales(found.data, found.tasks, ("train",))
    routes = found.candidates(30)[0]
    scores = [score(TASKS, found.weights.inherited([route]), scales).item() for route in routes]
    assert len(routes) == 20
    assert scores == sorted(scores, reverse=True)


def test_the_front_of_the_jobs_objectives_comes_first() -> None:
    found = aimed(GAIN, SIZE)
    routes = found.candidates(30)[0]
    points = np.array([[gain_of(found, route), -found.space.cost(route).num_params] for route in routes])
    on_front = front(points)
    assert 1 < on_front.sum() < len(routes)
    assert on_front.tolist() == sorted(on_front.tolist(), reverse=True)
    behind = front(points[~on_front])
    assert behind.tolist() == sorted(behind.tolist(), reverse=True), "and then the next"
    assert points[0, 0] == points[:, 0].max()


def test_evolution_is_told_of_costs_in_closed_form() -> None:
    searches = [aimed(objective) for objective in (SIZE, LARGE)]
    small, large = ([f.space.cost(route).num_params for route in f.candidates(30)[0]] for f in searches)
    assert small == sorted(small)
    assert large == sorted(large, reverse=True)
    assert np.mean(small) < np.mean(large)


def test_evolution_keeps_to_the_constraints() -> None:
    free = aimed(GAIN, SIZE)
    most = int(np.median([free.space.cost(route).num_params for route in free.candidates(30)[0]]))
    bound = replace(space_of("one_shot"), constraints=Constraints(max_params=most))
    found = aimed(GAIN, SIZE, within=bound)
    assert all(found.space.cost(route).num_params <= most for route in found.candidates(30)[0])


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
