"""Export of a known route on demand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mtnas.data import DataAccess
from mtnas.errors import ExportError, SpaceError
from mtnas.routes import Route, RouteGraph
from mtnas.run import InProcessExecutor, MemoryJournal
from mtnas.run.export_on_demand import run_export
from mtnas.run.phases import export as export_phase
from mtnas.trials import Settings
from tests.run.jobs import run, spec_of


@pytest.fixture(scope="module")
def finished(access: DataAccess) -> MemoryJournal:
    journal = MemoryJournal()
    run(spec_of(), journal, access)
    return journal


@pytest.fixture
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check in a process of its own takes seconds, and another test of this folder has it."""
    monkeypatch.setattr(export_phase, "verify_export", lambda _: None)


def export(
    journal: MemoryJournal,
    kept: MemoryJournal,
    access: DataAccess,
    *,
    label: str,
    lr: float | None,
    like: Settings | None = None,
) -> RouteGraph:
    row = next(route for route in kept.routes.values() if route.label == label)
    graph = RouteGraph.from_json(kept.graphs[row.graph_digest])
    run_export(
        spec_of(),
        graph=graph,
        route=Route.parse(row.text),
        label=label,
        lr=lr,
        like=like,
        access=access,
        executor=InProcessExecutor(),
        journal=journal,
    )
    return graph


@pytest.mark.usefixtures("unverified")
@pytest.mark.parametrize("label", ["shared_bottom", "finalist-2", "sampled"])
def test_any_route_of_a_job_can_be_exported_without_reading_the_test_part(
    label: str, finished: MemoryJournal, access: DataAccess, tmp_path: Path
) -> None:
    journal = MemoryJournal(tmp_path)
    export(journal, finished, access, label=label, lr=0.01)
    (trial,) = journal.trials()
    assert trial.candidate.settings.lr == 0.01
    assert {evaluation.part for evaluation in trial.evaluations} == {"valid"}
    assert journal._test_reads == set()
    (digest,) = journal.exports
    assert digest == trial.route_digest == next(r.digest for r in finished.routes.values() if r.label == label)
    assert (journal.exports[digest] / "model.safetensors").is_file()


@pytest.mark.usefixtures("unverified")
def test_a_route_is_trained_with_the_settings_that_its_row_tells(
    finished: MemoryJournal, access: DataAccess, tmp_path: Path
) -> None:
    row = next(route for route in finished.routes.values() if route.label == "finalist-1")
    told = row.details["settings"] | {"dropout": 0.25, "balancer": {"kind": "uncertainty"}}
    journal = MemoryJournal(tmp_path)
    export(journal, finished, access, label="finalist-1", lr=0.01, like=Settings(**told))
    (trial,) = journal.trials()
    assert trial.candidate.settings.without_seeds() == told | {"lr": 0.01}
    assert trial.candidate.settings.seed == 0


@pytest.mark.usefixtures("unverified")
def test_an_unknown_learning_rate_is_tuned_on_valid(
    finished: MemoryJournal, access: DataAccess, tmp_path: Path
) -> None:
    journal = MemoryJournal(tmp_path)
    export(journal, finished, access, label="sampled", lr=None)
    assert [trial.candidate.settings.lr for trial in journal.trials()] == [0.003, 0.01]
    (manifest,) = tmp_path.glob("*/manifest.json")
    best = max(journal.trials(), key=lambda t: sum(m["auc"] for m in t.on("valid").per_task.values()))
    assert f'"auc": {best.on("valid").per_task["task_0"]["auc"]}' in manifest.read_text()


@pytest.mark.usefixtures("unverified")
def test_an_exported_finalist_is_the_one_the_report_is_about(
    finished: MemoryJournal, access: DataAccess, tmp_path: Path
) -> None:
    """Seed 0 of the finalist, trained again: the same figures on ``valid``."""
    journal = MemoryJournal(tmp_path)
    assert finished.report is not None
    row: Mapping[str, Any] = finished.report["rows"][-1]
    export(journal, finished, access, label=row["label"], lr=row["lr"])
    (again,) = journal.trials()
    first = next(
        t
        for t in finished.trials()
        if t.phase == "retrain" and t.label == row["label"] and t.candidate.settings.seed == 0
    )
    for task, figures in first.on("valid").per_task.items():
        assert again.on("valid").per_task[task] == pytest.approx(dict(figures), abs=0.01)  # packs of another size


def test_an_export_that_fails_its_check_is_not_offered(
    finished: MemoryJournal, access: DataAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise ExportError(expected="a check that passes", found="another output", where="export")

    monkeypatch.setattr(export_phase, "verify_export", fail)
    journal = MemoryJournal(tmp_path)
    with pytest.raises(ExportError, match="another output"):
        export(journal, finished, access, label="finalist-1", lr=0.01)
    assert journal.exports == {}


def test_a_route_of_another_graph_is_refused(finished: MemoryJournal, access: DataAccess) -> None:
    routes = {route.label: route for route in finished.routes.values()}
    with pytest.raises(SpaceError):
        run_export(
            spec_of(),
            graph=RouteGraph.from_json(finished.graphs[routes["shared_bottom"].graph_digest]),
            route=Route.parse(routes["finalist-1"].text),
            label="mixed up",
            lr=0.01,
            access=access,
            executor=InProcessExecutor(),
            journal=MemoryJournal(),
        )
