"""A job that adds a task to what a finished job has trained, end to end in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from mtnas.data import DataAccess, load
from mtnas.errors import DataError, NotFoundError, SpecError
from mtnas.routes import Route, RouteGraph, narrow
from mtnas.run import InProcessExecutor, MemoryJournal, run_job
from mtnas.run.base_system import Base, load_base
from mtnas.run.export_on_demand import run_export
from mtnas.run.phases import export as export_phase
from mtnas.spec import JobSpec
from mtnas.supernets import freeze_part
from mtnas.training.trained_network import Trained
from tests.lean import NO_MODELS
from tests.run.jobs import SMALL, TRAINING, spec_of

PLANTED = {"rows": 400, "dims": 8, "num_tasks": 3, "kind": "binary"}
DATA: dict[str, Any] = {"source": {"kind": "catalogue", "name": "planted", "options": PLANTED}}
TASKS = [{"name": f"task_{t}", "kind": "binary", "tower": [4]} for t in range(3)]
PROTOCOL = {
    "level": "quick",
    **NO_MODELS,
    "baselines": ["shared_bottom"],
    "seeds": 1,
    "finalists": 1,
}
SEARCH = {"kind": "evolution", "generation": 3, "options": {"population": 3}}
COMMON: dict[str, Any] = SMALL | {
    "data": DATA,
    "search": SEARCH,
    "budget": {"trials": 6},
    "protocol": PROTOCOL,
    "training": TRAINING | {"lr": 0.01},
}


@pytest.fixture(scope="module")
def old(access: DataAccess) -> MemoryJournal:
    """A finished job of two tasks."""
    journal = MemoryJournal()
    run_job(spec_of(base=COMMON | {"tasks": TASKS[:2]}), access=access, executor=InProcessExecutor(), journal=journal)
    return journal


def base_of(journal: MemoryJournal) -> dict[str, Any]:
    """The finished job's best route, as ``spec.base`` names it."""
    row = next(row for row in journal.routes.values() if row.role == "best")
    trial = row.details["weights_of_trial"]
    return {"job": "old", "trial": trial, "route": row.text, "graph": journal.graphs[row.graph_digest]}


def grown(journal: MemoryJournal, **changes: Any) -> JobSpec:
    """A job that adds the third task."""
    return spec_of(base=COMMON | {"tasks": TASKS, "base": base_of(journal), "space": {"name": "grown"}} | changes)


def base(journal: MemoryJournal, spec: JobSpec) -> Base:
    assert spec.base is not None
    return load_base(spec.base, journal.checkpoint)


def run(spec: JobSpec, journal: MemoryJournal, access: DataAccess, of: MemoryJournal) -> Any:
    return run_job(spec, access=access, executor=InProcessExecutor(), journal=journal, base=base(of, spec))


def test_a_task_is_added_and_the_old_ones_stay_as_they_were(
    old: MemoryJournal, access: DataAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_phase, "verify_export", lambda _: None)  # another test of this folder has it
    spec, journal = grown(old, export={"top": 1}), MemoryJournal(tmp_path)
    report = run(spec, journal, access, old)
    system = base(old, spec).trained
    inputs = load(spec.data, [t.to_task() for t in spec.tasks], access=access).inputs
    (row,) = (row for row in journal.routes.values() if row.role == "best")
    graph, route = RouteGraph.from_json(journal.graphs[row.graph_digest]), Route.parse(row.text)
    weights = journal.checkpoint(f"weights/{row.details['weights_of_trial']}")
    assert weights is not None
    whole = Trained(graph=narrow(graph, route), weights=weights).network(inputs)
    assert spec.base is not None
    before = RouteGraph.from_json(spec.base.graph)
    assert Trained.of(freeze_part(whole, before, Route.parse(spec.base.route))).weights == _sorted(system.weights)
    searched = [trial for trial in journal.trials() if trial.phase == "search"]
    assert len(searched) == 6
    for task in ("task_0", "task_1"):
        assert len({trial.on("search").per_task[task]["auc"] for trial in searched}) == 1
    assert len({trial.on("search").per_task["task_2"]["auc"] for trial in searched}) > 1
    best = report["best"]["route_digest"]
    assert set(journal.exports) <= {best, (report["ensemble"] or {}).get("digest")}
    export = safetensors.torch.load_file(journal.exports[best] / "model.safetensors")
    assert any(name.startswith("tower_task_2") for name in export)


def _sorted(weights: bytes) -> bytes:
    """The same tensors as ``safetensors`` writes them anew."""
    return safetensors.torch.save(safetensors.torch.load(weights))


def test_old_tasks_say_what_they_said(old: MemoryJournal, access: DataAccess) -> None:
    spec, journal = grown(old), MemoryJournal()
    run(spec, journal, access, old)
    before = next(t for t in old.trials() if t.number == base_of(old)["trial"])
    (after,) = (t for t in journal.trials() if t.phase == "retrain" and t.label == "finalist-1")
    for part in ("valid", "test"):
        for task in ("task_0", "task_1"):
            assert after.on(part).per_task[task]["auc"] == pytest.approx(
                before.on(part).per_task[task]["auc"], abs=1e-6
            )


def test_a_grown_system_grows_again_and_its_routes_are_exported_on_demand(
    old: MemoryJournal, access: DataAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_phase, "verify_export", lambda _: None)
    spec, journal, kept = grown(old), MemoryJournal(), MemoryJournal(tmp_path)
    run(spec, journal, access, old)
    row = next(row for row in journal.routes.values() if row.role == "search")
    run_export(
        spec,
        graph=RouteGraph.from_json(journal.graphs[row.graph_digest]),
        route=Route.parse(row.text),
        label=row.label,
        lr=0.01,
        access=access,
        executor=InProcessExecutor(),
        journal=kept,
        base=base(old, spec),
    )
    assert list(kept.exports) == [row.digest]
    again = COMMON | {"base": base_of(journal), "space": {"name": "grown"}}
    more = {**DATA, "source": {**DATA["source"], "options": PLANTED | {"num_tasks": 4}}}
    fourth = [*TASKS, {"name": "task_3", "kind": "binary", "tower": [4]}]
    later = spec_of(base=again | {"tasks": fourth, "data": more})
    report = run(later, MemoryJournal(), access, journal)
    assert [task["name"] for task in report["tasks"]] == ["task_0", "task_1", "task_2", "task_3"]


def test_rows_are_encoded_as_the_old_system_is_used_to(old: MemoryJournal, access: DataAccess) -> None:
    spec = grown(old)
    tasks, kept = [task.to_task() for task in spec.tasks], base(old, spec).encoding
    other = spec.data.model_copy(update={"search_share": 0.3})
    fitted, encoded = load(other, tasks, access=access), load(other, tasks, access=access, encoding=kept)
    assert fitted.schema.dense != kept.dense
    assert encoded.schema.dense == kept.dense
    assert encoded.digest != fitted.digest
    again = load(other, tasks, access=access, encoding=kept)
    assert torch.equal(torch.from_numpy(again.numeric), torch.from_numpy(encoded.numeric))


def test_data_without_the_old_inputs_is_refused(old: MemoryJournal, access: DataAccess) -> None:
    fewer = {**DATA, "source": {**DATA["source"], "options": PLANTED | {"dims": 6}}}
    with pytest.raises(DataError, match="column 'x'"):
        run(grown(old, data=fewer), MemoryJournal(), access, old)
    with pytest.raises(DataError, match="no inputs of the trained system"):
        run(grown(old, data={**DATA, "exclude": ["x"]}), MemoryJournal(), access, old)


def test_a_job_that_kept_nothing_is_no_base(old: MemoryJournal, access: DataAccess) -> None:
    spec = grown(old)
    assert spec.base is not None
    with pytest.raises(NotFoundError, match="no weights"):
        load_base(spec.base, MemoryJournal().checkpoint)
    with pytest.raises(SpecError, match="the trained system"):
        run_job(spec, access=access, executor=InProcessExecutor(), journal=MemoryJournal())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"search": {"kind": "reinforce"}, "budget": {}}, "search by trials"),
        ({"training": TRAINING | {"balancer": {"kind": "uncertainty"}}}, "learn nothing"),
        ({"training": TRAINING | {"alignment": {}}}, "one encoder"),
        ({"tasks": TASKS[:2]}, "then new ones"),
        ({"tasks": TASKS[::-1]}, "then new ones"),
    ],
)
def test_what_cannot_add_a_task_is_refused(old: MemoryJournal, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        grown(old, **changes)
