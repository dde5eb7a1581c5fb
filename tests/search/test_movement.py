"""How far a search moved: distances from random routes, and when the report warns."""

from __future__ import annotations

from mtnas.search.known_schemes import known_schemes
from mtnas.search.movement import distance, movement, warnings
from tests.search.test_known_schemes import space_of


def test_distance_is_nothing_for_the_same_route_and_grows_with_what_differs() -> None:
    known = known_schemes(space_of("mtnas"))
    full, shared = known["full_sharing"], known["shared_bottom"]
    assert distance(full, full) == 0
    assert 0 < distance(full, known["mmoe"]) < distance(full, shared) <= 1
    assert distance(full, shared) == distance(shared, full)


def test_the_report_warns_of_answers_that_no_search_was_needed_for() -> None:
    space = space_of("mtnas")
    known = known_schemes(space)
    found = {name: movement(space, known[name], seed=0)["warnings"] for name in ("full_sharing", "mmoe", "single_task")}
    assert found["full_sharing"] == ["the answer is the whole supernet: the search has left nothing out"]
    assert found["mmoe"] == ["the answer shares everything: all tasks reach the same sub-networks"]
    assert found["single_task"] == []


def test_the_report_warns_of_searches_that_stood_still_or_beat_no_random_route() -> None:
    space = space_of("mtnas")
    route = known_schemes(space)["single_task"]
    (still,) = warnings(space.graph, route, entropy=(28.9, 28.8), better_than_random=1.0)
    assert still.startswith("the search has hardly moved: its entropy went from 28.9 to 28.8 nats")
    (lost,) = warnings(space.graph, route, entropy=(28.9, 2.0), better_than_random=0.5)
    assert "beats 50% of them" in lost
    assert warnings(space.graph, route, entropy=(28.9, 2.0), better_than_random=0.9) == []


def test_movement_tells_ends_of_the_entropy_as_means_over_searches() -> None:
    space = space_of("mtnas")
    told = movement(space, known_schemes(space)["cgc"], seed=1, entropies=((8.0, 3.0), (6.0, 1.0)))
    assert (told["entropy_start"], told["entropy_end"]) == (7.0, 2.0)
    assert 0 < told["distance_from_random"] <= 1
    assert movement(space, known_schemes(space)["cgc"], seed=1)["entropy_start"] is None
