"""A job whose tasks are trained together in every optional way: it ends, and its report explains the best route."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mtnas.data import DataAccess
from mtnas.routes import InputShape, Route, RouteGraph, cost
from mtnas.run import run_job
from mtnas.run.executor import InProcessExecutor
from mtnas.run.judging.diagnose import transfer
from mtnas.run.memory_journal import MemoryJournal
from mtnas.run.phases.prepare import expanded
from mtnas.spec import JobSpec
from search_spaces import build
from tests.lean import NO_MODELS

SPEC = {
    "name": "together",
    "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"num_tasks": 3, "rows": 600, "dims": 8}}},
    "tasks": [{"name": f"task_{i}", "kind": "regression", "tower": [4]} for i in range(3)],
    "space": {"name": "mtnas", "options": {"layers": 2, "subnets": 3, "width": 8}},
    "search": {"kind": "reinforce", "epochs": 1, "reward_rows": 32},
    "training": {"batch_size": 64, "epochs": 2, "lr": 0.01, "dropout": 0.1},
    "protocol": {
        "level": "quick",
        "seeds": 2,
        "finalists": 1,
        "baselines": ["shared_bottom"],
        **NO_MODELS,
    },
    "export": {"top": 0, "ensemble": "none"},
    "diagnostics": {"conflicts": True, "affinity": True},
}
TOGETHER = [
    {"balancer": {"kind": "famo"}, "auxiliary": {"gamma": 0.5, "shape": "bottleneck", "size": 2}},
    {"balancer": {"kind": "upgrad"}, "alignment": {"share": 0.4}, "reweighting": {"kind": "svd"}},
    {"balancer": {"kind": "graddrop"}},
]


@pytest.mark.parametrize("training", TOGETHER)
def test_a_job_trains_tasks_together_and_explains_its_best_route(training: dict[str, Any], tmp_path: Path) -> None:
    spec = JobSpec.model_validate(SPEC | {"training": SPEC["training"] | training})  # type: ignore[operator]
    journal = MemoryJournal()
    report = run_job(
        expanded(spec, build),
        access=DataAccess(cache=tmp_path),
        executor=InProcessExecutor(),
        journal=journal,
    )
    matrices = 3 * 8**2 if "alignment" in training else 0
    for row in journal.routes.values():
        graph, route = RouteGraph.from_json(journal.graphs[row.graph_digest]), Route.parse(row.text)
        assert row.num_params == cost(graph, route, InputShape(num_numeric=8)).num_params + matrices
    found = report["diagnostics"]
    json.dumps(found, allow_nan=False)
    assert found["tasks"] == ["task_0", "task_1", "task_2"]
    square = [found["path_overlap"], found["affinity"], *found["similarity"].values()]
    assert all(len(matrix) == 3 and all(len(row) == 3 for row in matrix) for matrix in square)
    assert [layer["layer"] for layer in found["sharing_by_layer"]] == [1, 2]
    assert found["negative_transfer"].keys() == {"task_0", "task_1", "task_2"}
    assert found["conflicts"]["components"][0]["name"] is not None
    assert found["gates"]["junctions"].keys() <= {j["name"] for j in report_graph(spec)["junctions"]}


def report_graph(spec: JobSpec) -> dict[str, Any]:
    graph = expanded(spec, build).space.graph
    assert graph is not None
    return graph


def test_transfer_is_negative_only_where_the_interval_says_so() -> None:
    assert transfer([-0.02, -0.021, -0.019])["verdict"] == "negative"
    assert transfer([0.02, 0.021, 0.019])["verdict"] == "positive"
    assert transfer([0.02, -0.03, 0.01])["verdict"] == "none"
    assert transfer([0.02])["verdict"] is None
