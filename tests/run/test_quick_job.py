"""A whole quick job with an export: what its report, trials, routes and files must hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import pytest
import safetensors.torch

from mtnas.data import DataAccess
from mtnas.run import MemoryJournal
from mtnas.spec import JobSpec
from mtnas.trials import Trial, TrialState
from tests.lean import NO_MODELS
from tests.run.jobs import EVALUATION, POLICY_STEP, STEPS, YARDSTICK, run, spec_of

ROW = {
    *("label", "role", "route_digest", "num_params", "macs", "seeds", "failed", "lr", "settings", "valid_score"),
    *("per_task", "mean_gain", "worst_gain", "latency_us", "device_seconds", "multiple_of_shared_bottom"),
}
REPORT = {
    *(
        "level",
        "verdict",
        "verdict_reason",
        "data_digest",
        "test_reads",
        "columns",
        "warnings",
        "tasks",
        "best",
        "rows",
        "front",
        "comparisons",
    ),
    *("hypotheses", "non_inferior", "negative_transfer", "recommendation", "words"),
    *("search", "training", "tuning", "ensemble", "latency", "places", "provenance", "diagnostics"),
}
BASELINES = ["single_task", "shared_bottom", "mmoe"]
ONE = {"top": 1, "ensemble": "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A finished job."""

    spec: JobSpec
    report: Mapping[str, Any]
    journal: MemoryJournal

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["label"]: row for row in self.report["rows"]}

    def trials(self, phase: str, label: str | None = None) -> list[Trial]:
        return [t for t in self.journal.trials() if t.phase == phase and label in (None, t.label)]


@pytest.fixture(scope="module")
def done(access: DataAccess, tmp_path_factory: pytest.TempPathFactory) -> Done:
    protocol = {
        "level": "quick",
        **NO_MODELS,
        "baselines": BASELINES,
        "seeds": 3,
        "finalists": 2,
    }
    objectives = [{"metric": "mean_gain", "direction": "max"}, {"metric": "num_params", "direction": "min"}]
    spec = spec_of(protocol=protocol, objectives=objectives, export=ONE)
    journal = MemoryJournal(tmp_path_factory.mktemp("exports"))
    return Done(spec=spec, report=run(spec, journal, access), journal=journal)


def test_the_report_has_every_field_and_is_plain_json(done: Done) -> None:
    assert done.report.keys() == REPORT
    assert json.loads(json.dumps(done.report, allow_nan=False)) == json.loads(json.dumps(done.journal.report))
    assert done.report["level"] == "quick"
    assert done.report["verdict"] is None
    assert done.report["provenance"]["seed"] == done.spec.seed


def test_there_is_a_full_row_for_every_baseline_and_finalist(done: Done) -> None:
    assert list(done.rows) == [*BASELINES, *(row for row in done.rows if row.startswith("finalist-"))]
    assert sorted(done.rows)[:2] == ["finalist-1", "finalist-2"]
    for row in done.report["rows"]:
        assert row.keys() == ROW
        assert row["role"] == ("baseline" if row["label"] in BASELINES else "finalist")
        assert (row["seeds"], row["failed"]) == (3, 0)
        assert row["per_task"].keys() == {"task_0", "task_1"}
        for cells in row["per_task"].values():
            assert cells["metric"] == "auc"
            assert all(0 <= cells[part]["mean"] <= 1 for part in ("valid", "test"))


def test_the_front_is_measured_from_the_worst_of_the_baselines(done: Done) -> None:
    told, baselines = done.report["front"], [done.rows[label] for label in BASELINES]
    worst = min(row["mean_gain"]["mean"] for row in baselines), max(row["num_params"] for row in baselines)
    assert tuple(told["reference"].values()) == worst
    gains = {
        label: (row["mean_gain"]["mean"] - worst[0], worst[1] - row["num_params"]) for label, row in done.rows.items()
    }
    unbeaten = {a for a in gains if not any(_beats(gains[b], gains[a]) for b in gains)}
    assert set(told["labels"]) == unbeaten
    assert told["hypervolume"] >= told["of_baselines"] >= 0
    assert told["hypervolume"] >= max(max(gain, 0) * max(size, 0) for gain, size in gains.values()) > 0


def _beats(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return first != second and all(a >= b for a, b in zip(first, second, strict=True))


def test_phases_come_in_order_and_trials_are_numbered_without_gaps(done: Done) -> None:
    assert done.journal.phases == ["prepare", "baselines", "search", "retrain", "report", "export"]
    trials = done.journal.trials()
    assert [trial.number for trial in trials] == list(range(len(trials)))
    order = ["baselines", "search", "tune", "retrain"]
    assert [trial.phase for trial in trials] == sorted((trial.phase for trial in trials), key=order.index)
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}


def test_every_baseline_and_finalist_gets_the_same_tuning(done: Done) -> None:
    """PROTOCOL.md point 2: equal budgets, tuning included."""
    grid = list(done.spec.training.lr_grid)
    for label in done.rows:
        tuned = done.trials("baselines" if label in BASELINES else "tune", label)
        assert [trial.candidate.settings.lr for trial in tuned] == grid
        assert {trial.candidate.settings.seed for trial in tuned} == {done.spec.seed * 1000}
        curve = done.report["tuning"][label]["curve"]
        for trial in tuned:
            score = fmean(of_task["auc"] for of_task in trial.on("valid").per_task.values())
            assert curve[str(trial.candidate.settings.lr)] == pytest.approx(score)
        best = max(curve, key=lambda lr: curve[lr])
        assert done.rows[label]["lr"] == done.report["tuning"][label]["lr"] == float(best)
        assert done.report["tuning"][label]["on_edge"] is True  # two rates that may not grow: every one is an edge
        assert done.report["tuning"][label]["weight_decay"] == done.rows[label]["settings"]["weight_decay"]


def test_the_report_says_how_long_entrants_were_trained_and_when_they_were_best(done: Done) -> None:
    facts = done.report["training"]
    assert (facts["batch_size"], facts["epochs"]) == (64, 1)
    for label in done.rows:
        costs = [trial.on("valid").costs for trial in done.trials("retrain", label)]
        assert facts["best_step"][label] == [of_trial["best_step"] for of_trial in costs]
        assert {of_trial["candidate_steps"] for of_trial in costs} == {facts["steps"]}
    assert facts["still_improving"] == list(done.report["tuning"])  # one epoch has one look
    assert "training.epochs" in facts["warning"]


def test_only_retraining_reads_the_test_part_and_the_report_counts_it(done: Done) -> None:
    for trial in done.journal.trials():
        parts = {evaluation.part for evaluation in trial.evaluations}
        if trial.phase == "retrain":
            assert parts == {"valid", "test"}
        else:
            assert parts <= {"search", "valid"}
    assert done.report["test_reads"] == 1
    assert done.journal._test_reads == {done.report["data_digest"]}


def test_retraining_has_the_same_seeds_for_everyone(done: Done) -> None:
    for label in done.rows:
        settings = [trial.candidate.settings for trial in done.trials("retrain", label)]
        assert [s.seed for s in settings] == [s.data_seed for s in settings] == [0, 1, 2]
        assert {s.lr for s in settings} == {done.rows[label]["lr"]}


def test_rows_are_means_over_seeds_of_what_the_trials_say(done: Done) -> None:
    single = done.trials("retrain", "single_task")
    for label, row in done.rows.items():
        trials = done.trials("retrain", label)
        gains: dict[str, list[float]] = {}
        for task, cells in row["per_task"].items():
            for part in ("valid", "test"):
                values = [trial.on(part).per_task[task]["auc"] for trial in trials]
                assert cells[part]["mean"] == pytest.approx(fmean(values))
                assert cells[part]["deviation"] == pytest.approx(stdev(values))
            pairs = zip(trials, single, strict=True)
            auc = [(t.on("test").per_task[task]["auc"], s.on("test").per_task[task]["auc"]) for t, s in pairs]
            gains[task] = [(mine - reference) / reference for mine, reference in auc]
            assert cells["gain"]["mean"] == pytest.approx(fmean(gains[task]))
        by_seed = list(zip(*gains.values(), strict=True))
        assert row["mean_gain"]["mean"] == pytest.approx(fmean(fmean(of_seed) for of_seed in by_seed))
        assert row["worst_gain"]["mean"] == pytest.approx(fmean(min(of_seed) for of_seed in by_seed))


def test_gains_of_single_task_are_zero(done: Done) -> None:
    row = done.rows["single_task"]
    nothing = {"mean": 0.0, "deviation": 0.0}
    assert row["mean_gain"] == row["worst_gain"] == nothing
    assert all(cells["gain"] == nothing for cells in row["per_task"].values())


def test_baselines_are_about_as_large_as_the_first_finalist(done: Done) -> None:
    """Within the steps that a whole unit of width is, in networks this narrow."""
    sizes = {label: row["num_params"] for label, row in done.rows.items()}
    for label in BASELINES:
        assert sizes[label] == pytest.approx(sizes["finalist-1"], rel=0.15)
    for trial in done.trials("retrain"):
        assert trial.values["num_params"] == sizes[trial.label]


def test_finalists_are_distinct_and_chosen_on_valid(done: Done) -> None:
    finalists = [row for row in done.report["rows"] if row["role"] == "finalist"]
    assert len({row["route_digest"] for row in finalists}) == len(finalists) == 2
    assert [row["valid_score"] for row in finalists] == sorted((r["valid_score"] for r in finalists), reverse=True)
    assert done.report["best"]["label"] == finalists[0]["label"]
    assert done.report["best"]["route_digest"] == finalists[0]["route_digest"]
    (derived,) = done.trials("search", "derived")
    assert derived.route_digest == done.rows["finalist-1"]["route_digest"]


def test_the_winner_is_compared_with_the_baseline_that_is_best_on_valid(done: Done) -> None:
    (comparison,) = done.report["comparisons"]
    best = max(BASELINES, key=lambda label: done.rows[label]["valid_score"])
    assert (comparison["first"], comparison["second"]) == (done.report["best"]["label"], best)
    assert comparison["seeds"] == 3
    difference = comparison["differences"]["mean_gain"]
    rows = done.rows[comparison["first"]], done.rows[best]
    assert difference["mean"] == pytest.approx(rows[0]["mean_gain"]["mean"] - rows[1]["mean_gain"]["mean"])
    assert difference["interval"][0] <= difference["mean"] <= difference["interval"][1]


def test_search_trials_are_marked_as_inherited(done: Done) -> None:
    trials = done.trials("search")
    assert {trial.notes["weights"] for trial in trials} == {"inherited"}
    assert len({trial.route_digest for trial in trials}) == len(trials) == done.report["search"]["trials"]
    assert done.report["search"]["failed"] == 0
    charged = STEPS * (1 + POLICY_STEP) + len(trials) * EVALUATION + YARDSTICK
    assert done.report["search"]["candidate_steps"] == pytest.approx(charged)


def test_weights_are_kept_for_every_seed_of_the_finalists_alone(done: Done) -> None:
    kept = {name for name in done.journal._checkpoints if name.startswith("weights/")}
    finalists = [trial for trial in done.trials("retrain") if trial.label.startswith("finalist-")]
    assert kept == {f"weights/{trial.number}" for trial in finalists}
    for trial in finalists:
        tensors = safetensors.torch.load(done.journal._checkpoints[f"weights/{trial.number}"])
        assert sum(tensor.numel() for tensor in tensors.values()) == trial.values["num_params"]


def test_routes_of_the_answer_are_ranked_and_carry_their_figures(done: Done) -> None:
    routes = done.journal.routes
    ranked = sorted((r for r in routes.values() if r.rank is not None), key=lambda r: r.rank or 0)
    assert [route.rank for route in ranked] == [1, 2]
    assert [route.role for route in ranked] == ["best", "finalist"]
    assert ranked[0].digest == done.report["best"]["route_digest"]
    assert {route.label for route in routes.values() if route.role == "baseline"} == set(BASELINES)
    assert {trial.route_digest for trial in done.trials("search")} <= routes.keys()
    for route in routes.values():
        assert route.graph_digest in done.journal.graphs
        if route.label in done.rows:
            row = done.rows[route.label]
            assert route.values["mean_gain"] == row["mean_gain"]["mean"]
            assert route.values["test.task_0.auc"] == row["per_task"]["task_0"]["test"]["mean"]
            assert route.details["weights_of_trial"] in {t.number for t in done.trials("retrain", route.label)}


def test_places_account_for_every_trial(done: Done) -> None:
    assert sum(place["trials"] for place in done.report["places"]) == len(done.journal.trials())
    assert {place["device"] for place in done.report["places"]} == {"cpu"}


def test_the_best_route_is_exported_with_its_best_seed_and_verified(done: Done) -> None:
    """``run_job`` does not offer an export before its own check has passed in a process without mtnas."""
    (digest,) = done.journal.exports
    assert digest == done.report["best"]["route_digest"]
    folder = done.journal.exports[digest]
    assert {"model.py", "model.safetensors", "manifest.json", "check.py"} <= {path.name for path in folder.iterdir()}
    manifest = json.loads((folder / "manifest.json").read_text())
    trials = done.trials("retrain", done.report["best"]["label"])
    best = max(trials, key=lambda t: fmean(m["auc"] for m in t.on("valid").per_task.values()))
    assert json.dumps(manifest["provenance"]["metrics"]["test"]) == json.dumps(best.on("test").per_task)


def test_how_columns_were_read_is_told_first_and_in_the_report(done: Done) -> None:
    kind, payload = next((kind, payload) for kind, payload in done.journal.events if kind != "phase")
    assert kind == "columns"
    assert payload["columns"] == done.report["columns"]
    assert {column["use"] for column in payload["columns"]} >= {"input", "label"}


def test_every_trial_is_told_to_followers(done: Done) -> None:
    told = [payload["number"] for kind, payload in done.journal.events if kind == "trial"]
    assert sorted(told) == [trial.number for trial in done.journal.trials()]
    (prepared,) = (payload for kind, payload in done.journal.events if kind == "prepared")
    assert sum(prepared["rows"].values()) == 400
