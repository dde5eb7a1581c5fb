"""A job at the standard level: boosted trees and equal-budget random search beside the baselines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import pytest

from mtnas.data import DataAccess
from mtnas.run import MemoryJournal
from mtnas.training.measuring.gains import task_gains
from tests.lean import NO_MODELS
from tests.run.jobs import SMALL, STEPS, run, spec_of, timeless

PROTOCOL = {"level": "standard", "baselines": ["single_task", "shared_bottom"], "seeds": 2, "finalists": 1}
EXPORT = {"top": 0, "ensemble": "greedy"}


@pytest.fixture(scope="module")
def done(access: DataAccess) -> tuple[Mapping[str, Any], MemoryJournal]:
    journal = MemoryJournal()
    search = SMALL["search"] | {"searches": 3}
    return run(spec_of(protocol=PROTOCOL, search=search, export=EXPORT), journal, access), journal


def test_random_search_has_the_whole_charge_of_the_search(done: tuple[Mapping[str, Any], MemoryJournal]) -> None:
    """Not its weights' steps alone, and no trial less than it takes."""
    report, journal = done
    random = [trial for trial in journal.trials() if trial.label == "random" and trial.phase == "search"]
    spent = sum(trial.evaluations[0].costs["candidate_steps"] for trial in random)
    charged = report["search"]["candidate_steps"]
    assert charged > 2 * 3 * STEPS
    assert charged <= spent < charged + STEPS
    assert report["search"]["trials"] == sum(t.phase == "search" and t.label != "random" for t in journal.trials())


def test_the_best_random_route_is_a_rival_with_the_same_tuning_and_seeds(
    done: tuple[Mapping[str, Any], MemoryJournal],
) -> None:
    report, journal = done
    row = next(row for row in report["rows"] if row["label"] == "random")
    assert (row["role"], row["seeds"]) == ("baseline", 2)
    searched = [trial for trial in journal.trials() if trial.label == "random" and trial.phase == "search"]
    assert row["route_digest"] == max(searched, key=lambda trial: trial.values["mean_gain"]).route_digest
    tuned = [trial for trial in journal.trials() if trial.label == "random" and trial.phase == "tune"]
    assert len(tuned) == 2
    seconds = [comparison["second"] for comparison in report["comparisons"]]
    named = {row["label"]: row["valid_score"] for row in report["rows"] if row["role"] == "baseline"}
    del named["random"]
    assert seconds[0] == max(named, key=lambda label: named[label]), "boosted trees are a rival like the networks"
    assert seconds[1:] == ["random"]


def test_weights_of_rivals_are_kept_for_the_ensemble_alone(done: tuple[Mapping[str, Any], MemoryJournal]) -> None:
    report, journal = done
    members = {member["trial"] for member in report["ensemble"]["members"]}
    kept = {name for name in journal._checkpoints if name.startswith("weights/")}
    retrained = [trial for trial in journal.trials() if trial.phase == "retrain"]
    wanted = {trial.number for trial in retrained if trial.label == "finalist-1"} | (members - {None})
    assert kept == {f"weights/{number}" for number in wanted}


def test_models_of_one_task_have_rows_like_the_others(done: tuple[Mapping[str, Any], MemoryJournal]) -> None:
    report, journal = done
    *networks, trees, linear, _ = report["rows"]
    assert (trees["label"], linear["label"]) == ("boosted_trees", "linear")
    assert trees.keys() == linear.keys()
    assert trees.keys() == networks[0].keys()
    assert trees["route_digest"] is None
    assert trees["device_seconds"] > 0
    singles = [t for t in journal.trials() if t.label == "single_task" and t.phase == "retrain"]
    tasks = [task.to_task() for task in spec_of().tasks]
    found = {name: {"auc": cells["test"]["mean"]} for name, cells in trees["per_task"].items()}
    gains = [task_gains(tasks, found, single.on("test").per_task) for single in singles]
    for task in tasks:
        assert trees["per_task"][task.name]["gain"]["mean"] == pytest.approx(fmean(of[task.name] for of in gains))
    assert trees["worst_gain"]["mean"] == pytest.approx(fmean(min(of_seed.values()) for of_seed in gains))
    on_valid = [cells["valid"]["mean"] for cells in trees["per_task"].values()]
    assert trees["valid_score"] == pytest.approx(fmean(on_valid))
    json.dumps(report, allow_nan=False)


def test_trees_are_grown_once_per_job(done: tuple[Mapping[str, Any], MemoryJournal], access: DataAccess) -> None:
    report, journal = done
    again = run(spec_of(protocol=PROTOCOL, search=SMALL["search"] | {"searches": 3}, export=EXPORT), journal, access)
    assert again["rows"] == report["rows"]
    assert timeless(again) == timeless(report)


def test_parts_of_the_protocol_can_be_left_out(access: DataAccess) -> None:
    protocol = PROTOCOL | {**NO_MODELS, "random_search": False}
    report = run(spec_of(protocol=protocol, export=EXPORT), MemoryJournal(), access)
    assert [row["label"] for row in report["rows"]] == ["single_task", "shared_bottom", "finalist-1", "ensemble"]
    assert len(report["comparisons"]) == 1
