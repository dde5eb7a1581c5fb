"""A store as a finished search leaves it: a graph, three routes, a report, an export."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from itertools import islice

from mtnas.routes import InputShape, RouteGraph, cost, route_digest
from mtnas.spaces import SearchSpace
from mtnas.store import Holding, NewRoute, RouteRole, Store
from tests.api.service import claimed

GAINS = (0.03, 0.01, 0.02)


def finish_search(store: Store, latencies_us: tuple[float, ...] | None = None) -> list[NewRoute]:
    """Run the oldest queued job to its end, writing the first routes of its space with made-up gains and latencies."""
    holding = store.hold(claimed(store))
    graph = RouteGraph.from_json(holding.job.spec["space"]["graph"])
    holding.start_phase("search")
    holding.add_graphs({graph.digest: graph.to_json()})
    routes = [_new_route(graph, number, gain) for number, gain in enumerate(GAINS)]
    if latencies_us is not None:
        timed = zip(routes, latencies_us, strict=True)
        routes = [replace(route, values=dict(route.values) | {"latency_us": found}) for route, found in timed]
    holding.add_routes(routes)
    front = {"reference": {"mean_gain": 0.0, "num_params": 99.0}, "hypervolume": 1.5, "of_baselines": 0.5}
    holding.put_report({"table": [{"label": route.label} for route in routes], "front": front})
    _export(store, holding, routes[0].digest)
    holding.finish()
    return routes


def _new_route(graph: RouteGraph, number: int, gain: float) -> NewRoute:
    route = next(islice(SearchSpace(name="test", graph=graph).enumerate(), number, None))
    size = cost(graph, route, InputShape(num_numeric=4))
    return NewRoute(
        digest=route_digest(graph, route),
        graph_digest=graph.digest,
        text=route.text,
        data_digest="d" * 64,
        num_params=size.num_params,
        macs=size.macs,
        role=RouteRole.FINALIST,
        label=f"finalist-{number}",
        phase="retrain",
        rank=number + 1,
        values={"mean_gain": gain},
    )


def _export(store: Store, holding: Holding, digest: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("model.py", "answer = 42\n")
    export = holding.add_export(digest)
    holding.finish_export(export.id, store.artifacts.put_bytes(packed.getvalue()), {"files": ["model.py"]})
