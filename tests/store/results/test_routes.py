"""Routes: one row per job and route, sortable by whatever figure they have."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mtnas.errors import NotFoundError, SpecError
from mtnas.store import Holding, RouteRole, Store
from tests.store.values import GRAPH, new_route


@pytest.fixture
def with_graph(holding: Holding) -> Holding:
    holding.add_graphs({"graph": GRAPH})
    return holding


def test_route_comes_back_as_it_was_given(store: Store, with_graph: Holding) -> None:
    given = new_route("r", rank=1, num_params=2**40, gain=0.1 + 0.2, **{"late departure.auc": 0.75})
    with_graph.add_routes([given])
    (route,) = store.routes.list(job_id=with_graph.lease.job_id)
    assert route.values == {"gain": 0.1 + 0.2, "late departure.auc": 0.75}
    assert (route.num_params, route.macs, route.role, route.rank) == (2**40, 2**41, RouteRole.SEARCH, 1)
    assert store.routes.get("r") == route
    assert store.graphs.get(route.graph_digest) == GRAPH


def test_reporting_a_route_again_replaces_it(store: Store, with_graph: Holding) -> None:
    with_graph.add_routes([new_route("r", gain=1.0)])
    first = store.routes.get("r")
    with_graph.add_routes([new_route("r", role=RouteRole.BEST, rank=1, worst=2.0)])
    (route,) = store.routes.list()
    assert (route.role, route.rank, route.values) == (RouteRole.BEST, 1, {"worst": 2.0})
    assert route.created_at == first.created_at


def test_routes_sort_by_any_figure_with_missing_ones_last(store: Store, with_graph: Holding) -> None:
    with_graph.add_routes(
        [
            new_route("a", num_params=30, rank=2, gain=0.5),
            new_route("b", num_params=10, gain=float("nan")),
            new_route("c", num_params=20, rank=1, gain=-2.0),
            new_route("d", num_params=10, rank=3),
        ]
    )

    def order(sort: str) -> str:
        return "".join(route.digest for route in store.routes.list(sort=sort))

    assert order("rank") == "cadb"
    assert order("-rank") == "dacb"
    assert order("num_params") == "bdca"
    assert order("-macs") == "acbd"
    assert order("gain") == "cabd"
    assert order("-gain") == "acbd"
    assert store.routes.figures() == ("rank", "num_params", "macs", "gain")


def test_figures_of_tasks_in_any_script_can_be_sorted_by(store: Store, with_graph: Holding) -> None:
    with_graph.add_routes([new_route("a", **{"größe.auc": 0.5}), new_route("b", **{"größe.auc": 0.7, "任务.auc": 1.0})])
    assert [route.digest for route in store.routes.list(sort="-größe.auc")] == ["b", "a"]
    assert [route.digest for route in store.routes.list(sort="任务.auc")] == ["b", "a"]


@pytest.mark.parametrize("sort", ["gian", "details", "", "-", "gain'; DROP TABLE routes; --", '"', "$.gain"])
def test_sorting_by_anything_else_names_the_figures(store: Store, with_graph: Holding, sort: str) -> None:
    with_graph.add_routes([new_route("a", gain=0.5)])
    with pytest.raises(SpecError, match="gain, macs, num_params, rank"):
        store.routes.list(sort=sort)


def test_sorting_nothing_gives_nothing(store: Store) -> None:
    assert store.routes.list(sort="-gain") == ()


def test_routes_page_without_overlap(store: Store, with_graph: Holding) -> None:
    with_graph.add_routes([new_route(f"r{number}", gain=1.0) for number in range(7)])
    pages = [store.routes.list(sort="-gain", limit=3, offset=offset) for offset in (0, 3, 6)]
    assert [route.digest for page in pages for route in page] == [f"r{number}" for number in range(7)]


def test_routes_of_several_jobs_compare_within_one_data_digest(store: Store, claim: Callable[..., Holding]) -> None:
    one, two = claim(owner="us"), claim(owner="them")
    for holding, data_digest, gain in ((one, "data", 1.0), (two, "data", 2.0), (two, "other data", 3.0)):
        holding.add_graphs({"graph": GRAPH})
        holding.add_routes([new_route(f"{data_digest}-{gain}", data_digest=data_digest, gain=gain)])
    found = store.routes.list(data_digest="data", sort="-gain")
    assert [route.job_id for route in found] == [two.lease.job_id, one.lease.job_id]
    assert [route.digest for route in store.routes.list(owner="us")] == ["data-1.0"]
    with pytest.raises(NotFoundError):
        store.routes.get("data-1.0", owner="them")


def test_a_route_of_several_jobs_is_found_in_the_latest_and_in_each(
    store: Store, claim: Callable[..., Holding]
) -> None:
    one, two = claim(), claim()
    for holding, gain in ((one, 1.0), (two, 2.0)):
        holding.add_graphs({"graph": GRAPH})
        holding.add_routes([new_route("r", gain=gain)])
    assert store.routes.get("r").values == {"gain": 2.0}
    assert store.routes.get("r", job_id=one.lease.job_id).values == {"gain": 1.0}


def test_routes_filter_by_role_and_graph(store: Store, with_graph: Holding) -> None:
    with_graph.add_routes([new_route("a", role=RouteRole.BASELINE), new_route("b")])
    assert [route.digest for route in store.routes.list(role=RouteRole.BASELINE)] == ["a"]
    assert len(store.routes.list(graph_digest="graph")) == 2
    assert store.routes.list(graph_digest="other") == ()


def test_route_needs_its_graph(store: Store, holding: Holding) -> None:
    with pytest.raises(NotFoundError, match="graph"):
        holding.add_routes([new_route("r")])
    with pytest.raises(NotFoundError):
        store.graphs.get("graph")


@pytest.mark.parametrize("values", [{"gain": "high"}, {"gain": [1.0]}, {"": 1.0}, {"a'b": 1.0}])
def test_figures_must_be_numbers_with_plain_names(with_graph: Holding, values: dict[str, float]) -> None:
    with pytest.raises(SpecError, match="route r"):
        with_graph.add_routes([new_route("r", **values)])
