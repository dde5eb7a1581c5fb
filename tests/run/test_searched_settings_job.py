"""A whole job whose search varies settings beside routes: TPE over learning rate, dropout, a gate, balancer, width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mtnas.data import DataAccess, EncodedData
from mtnas.errors import LeaseLostError
from mtnas.run import MemoryJournal
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import PackEvent
from mtnas.run.packs.pack_task import PackTask, TrainWork
from mtnas.trials import Trial, TrialState
from tests.lean import NO_MODELS
from tests.run.interrupting import InterruptedJournal
from tests.run.jobs import SMALL, run, spec_of, timeless, timeless_trials

SETTINGS: dict[str, Any] = {
    "dropout": {"grid": [0.0, 0.3]},
    "gate": {"temperature": {"log_uniform": [0.3, 2.0]}},
    "balancer": {"grid": [{"kind": "equal"}, {"kind": "famo", "lr": 0.1}]},
}
DROPPING = {"kind": "graddrop"}
JOB: dict[str, Any] = SMALL | {
    "space": {"name": "snr", "options": {"layers": 1, "subnets": 2, "width": 4, "widths": [2, 6]}},
    "search": {"kind": "tpe", "generation": 4, "options": {"startup": 4}, "settings": SETTINGS},
    "training": SMALL["training"] | {"gate": {"l0": 0.02}},
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "baselines": ["shared_bottom"],
        "seeds": 1,
        "finalists": 2,
        "random_search": True,
    },
    "budget": {"trials": 8},
    "seed": 1,  # under which packs of several candidates have either balancer
    "resources": {"max_packs": 1, "pack_size": 16},
}


@dataclass
class Watching:
    """Runs packs and keeps them."""

    packs: list[tuple[PackTask, TrainWork]] = field(default_factory=list)

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``Executor``."""
        for task in tasks:
            if isinstance(task.work, TrainWork):
                self.packs.append((task, task.work))
            yield from execute(task, data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    journal: MemoryJournal
    report: Mapping[str, Any]
    packs: Sequence[tuple[PackTask, TrainWork]]
    num_writes: int

    def trials(self, phase: str, label: str) -> list[Trial]:
        return [t for t in self.journal.trials() if (t.phase, t.label) == (phase, label)]


@pytest.fixture(scope="module")
def done(access: DataAccess) -> Done:
    journal, executor = MemoryJournal(), Watching()
    counted = InterruptedJournal(journal)
    report = run(spec_of(base=JOB), counted, access, executor)
    return Done(journal=journal, report=report, packs=executor.packs, num_writes=len(counted.writes))


@pytest.mark.parametrize("label", ["search", "random"])
def test_the_search_and_its_rival_try_all_that_may_vary(label: str, done: Done) -> None:
    found = done.trials("search", label)
    assert len(found) == 8
    settings = [trial.candidate.settings for trial in found]
    assert {s.lr for s in settings} == {0.003, 0.01}
    assert {s.dropout for s in settings} == {0.0, 0.3}
    assert len({s.gate["temperature"] for s in settings}) > 4
    assert all(0.3 <= s.gate["temperature"] <= 2.0 and s.gate["l0"] == 0.02 for s in settings)
    assert {s.balancer["kind"] for s in settings if s.balancer} == {"equal", "famo"}
    blocks = {block.text for trial in found for _, block in trial.candidate.route.blocks}
    assert blocks == {"mlp(2,4)", "mlp(6,4)"}


def test_settings_change_what_comes_out(done: Done) -> None:
    """Trials of one route differ by their settings alone."""
    of_route: dict[str, set[float]] = {}
    for trial in (*done.trials("search", "search"), *done.trials("search", "random")):
        of_route.setdefault(trial.route_digest, set()).add(trial.values["mean_gain"])
    assert any(len(values) > 1 for values in of_route.values())


def test_a_pack_has_one_balancer_and_trains_under_it(done: Done) -> None:
    kinds = set()
    for task, work in done.packs:
        own = [candidate.settings.balancer for candidate in work.candidates]
        assert all(balancer == own[0] for balancer in own)
        assert task.recipe.balancer.model_dump() == (own[0] or {"kind": "equal"})
        kinds.add((task.recipe.balancer.kind, len(own) > 1))
    assert {("equal", True), ("famo", True)} <= kinds


@pytest.mark.parametrize("label", ["finalist-1", "finalist-2", "random"])
def test_what_was_found_is_tuned_and_trained_with_its_own_settings(label: str, done: Done) -> None:
    again = [*done.trials("tune", label), *done.trials("retrain", label)]
    assert {t.phase for t in again} == {"tune", "retrain"}
    found = done.trials("search", "random" if label == "random" else "search")
    of_route = [t for t in found if t.route_digest == again[0].route_digest]
    best = max(of_route, key=lambda t: t.values["mean_gain"]).candidate.settings
    for trial in again:
        settings = trial.candidate.settings
        assert (settings.dropout, settings.gate, settings.balancer) == (best.dropout, best.gate, best.balancer)
    assert {t.candidate.settings.lr for t in again if t.phase == "tune"} == {0.003, 0.01}


def test_report_and_routes_tell_the_settings(done: Done) -> None:
    rows = {row["label"]: row for row in done.report["rows"]}
    for label, row in rows.items():
        trials = done.trials("retrain", label)
        assert {str(t.candidate.settings.without_seeds()) for t in trials} == {str(row["settings"])}
        assert row["settings"]["lr"] == row["lr"]
    assert rows["shared_bottom"]["settings"]["gate"] == {"l0": 0.02}
    assert rows["shared_bottom"]["settings"]["balancer"] is None
    best = next(route for route in done.journal.routes.values() if route.role == "best")
    assert best.details["settings"] == rows[best.label]["settings"]
    for route in done.journal.routes.values():
        if route.role == "search":
            tried = [t for t in done.journal.trials() if t.phase == "search" and t.route_digest == route.digest]
            best_of_route = max(tried, key=lambda t: t.values["mean_gain"])
            assert route.values["search.mean_gain"] == best_of_route.values["mean_gain"]
            assert route.details["settings"] == best_of_route.candidate.settings.without_seeds()


def test_an_interrupted_job_ends_as_an_undisturbed_one(done: Done, access: DataAccess) -> None:
    kept = MemoryJournal()
    with pytest.raises(LeaseLostError):
        run(spec_of(base=JOB), InterruptedJournal(kept, at=done.num_writes // 2), access)
    report = run(spec_of(base=JOB), kept, access)
    assert timeless_trials(kept.trials()) == timeless_trials(done.journal.trials())
    assert timeless(report) == timeless(done.report)


def test_balancers_keep_their_state_when_halving_packs_candidates_anew(access: DataAccess) -> None:
    """Those who survive are as if nobody had been dropped; packs of other sizes differ in the last bits."""
    whole, halved = MemoryJournal(), MemoryJournal()
    search = {"kind": "random", "generation": 9, "settings": {"balancer": SETTINGS["balancer"]}}
    base = SMALL | {
        "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 4, "queries": ["input"]}},
        "training": SMALL["training"] | {"epochs": 3},
        "budget": {"trials": 9},
        "protocol": {
            "level": "quick",
            **NO_MODELS,
            "baselines": ["shared_bottom"],
            "seeds": 1,
            "finalists": 1,
        },
    }
    run(spec_of(base=base, search=search), whole, access)
    run(spec_of(base=base, search=search | {"halving": {"reduction": 3}}), halved, access)
    expected = {t.number: t for t in whole.trials() if t.phase == "search"}
    survivors = [t for t in halved.trials() if t.phase == "search" and t.state is TrialState.COMPLETE]
    assert len(survivors) == 3
    for trial in survivors:
        assert trial.candidate == expected[trial.number].candidate
        assert trial.values == pytest.approx(dict(expected[trial.number].values), abs=1e-4)
    assert {t.candidate.settings.balancer["kind"] for t in expected.values() if t.candidate.settings.balancer} == {
        "equal",
        "famo",
    }


def test_balancers_that_need_a_lone_candidate_get_one_and_the_others_company(access: DataAccess) -> None:
    executor = Watching()
    search = {"kind": "random", "generation": 8, "settings": {"balancer": {"grid": [{"kind": "equal"}, DROPPING]}}}
    base = SMALL | {
        "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 1, "width": 4}},
        "training": SMALL["training"] | {"lr": {"grid": [0.001, 0.003, 0.01, 0.03]}},
        "budget": {"trials": 8},
        "resources": {"max_packs": 1, "pack_size": 16},
    }
    run(spec_of(base=base, search=search), MemoryJournal(), access, executor)
    sizes: dict[str, list[int]] = {}
    for task, work in executor.packs:
        if task.key.startswith("search/"):
            sizes.setdefault(task.recipe.balancer.kind, []).append(len(work.candidates))
    assert sizes == {"equal": [4], "graddrop": [1, 1, 1, 1]}
