"""Extending a job: its trials count, only what they lack is trained, and the answer is that of one longer search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from mtnas.data import DataAccess
from mtnas.errors import DataError, LeaseLostError
from mtnas.run import InProcessExecutor, MemoryJournal, run_job
from mtnas.run.earlier_job import Earlier
from mtnas.spec import JobSpec
from mtnas.trials import Trial
from tests.lean import NO_MODELS
from tests.run.interrupting import InterruptedJournal
from tests.run.jobs import (
    EVALUATION,
    POLICY_STEP,
    SAMPLED,
    SMALL,
    STEPS,
    YARDSTICK,
    EagerExecutor,
    spec_of,
    timeless,
    timeless_trials,
)

QUICK = {
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "baselines": ["shared_bottom"],
        "seeds": 1,
        "finalists": 2,
    }
}
STANDARD = {"protocol": {**QUICK["protocol"], "random_search": True}}
HALVED = {"search": {"kind": "evolution", "generation": 3, "halving": {"reduction": 3, "min_epochs": 0.3}}}
VARYING = {
    "kind": "tpe",
    "generation": 3,
    "options": {"startup": 3},
    "settings": {
        "weight_decay": {"log_uniform": [1e-6, 1e-2]},
        "balancer": {"grid": [{"kind": "equal"}, {"kind": "uncertainty"}]},
    },
}
FINE = {"training": {**SAMPLED["training"], "evaluate_every": 1}}


def earlier(journal: MemoryJournal) -> Earlier:
    assert journal.report is not None
    assert journal.stop is not None
    return Earlier(
        job_id="first",
        trials=journal.trials(),
        data_digest=journal.report["data_digest"],
        stop=journal.stop,
        checkpoint=journal.checkpoint,
    )


def run(
    spec: JobSpec, journal: Any, access: DataAccess, before: Earlier | None = None, executor: Any = None
) -> Mapping[str, Any]:
    return run_job(spec, access=access, executor=executor or InProcessExecutor(), journal=journal, earlier=before)


def answer(report: Mapping[str, Any]) -> Any:
    """What extending must not change: not where it came from, nor the budget in its specification."""
    told = timeless({name: value for name, value in report.items() if name not in ("provenance", "places")})
    return told | {"search": {**told["search"], "extends": None}}


def bare(trials: list[Trial]) -> list[Trial]:
    """Trials without clocks and without a note of where they came from."""
    return [
        replace(t, notes={k: v for k, v in t.notes.items() if k != "from"}, place=None) for t in timeless_trials(trials)
    ]


JOBS: dict[str, dict[str, Any]] = {
    "evolution": SAMPLED | QUICK | {"search": {"kind": "evolution", "generation": 3}},
    "compared with random search": SAMPLED | STANDARD | {"search": {"kind": "nsga2", "generation": 3}},
    "over settings": SAMPLED | QUICK | {"search": VARYING},
    "by halving": SAMPLED | QUICK | HALVED | FINE,
}


@pytest.mark.parametrize("base", JOBS.values(), ids=JOBS)
def test_an_extended_search_is_one_that_was_longer_from_the_start(base: dict[str, Any], access: DataAccess) -> None:
    short, extended, whole = MemoryJournal(), MemoryJournal(), MemoryJournal()
    run(spec_of(base=base, budget={"trials": 6}), short, access)
    longer = spec_of(base=base, budget={"trials": 9})
    executor = EagerExecutor()
    report = run(longer, extended, access, earlier(short), executor)
    assert bare(extended.trials()) == bare(run_trials(longer, whole, access))
    assert answer(report) == answer(whole.report or {})
    assert report["search"]["extends"] == "first"
    assert extended.routes == whole.routes


def run_trials(spec: JobSpec, journal: MemoryJournal, access: DataAccess) -> list[Trial]:
    run(spec, journal, access)
    return journal.trials()


def test_only_what_is_new_is_trained(access: DataAccess) -> None:
    base = SAMPLED | QUICK | {"resources": {"pack_size": 1}}
    short, extended, executor = MemoryJournal(), MemoryJournal(), EagerExecutor()
    run(spec_of(base=base, budget={"trials": 6}), short, access)
    run(spec_of(base=base, budget={"trials": 9}), extended, access, earlier(short), executor)
    taken = {trial.number for trial in extended.trials() if "from" in trial.notes}
    trained = {int(key.split("/")[1].split("+")[0]) for key in executor.finished}
    assert trained.isdisjoint(taken)
    assert trained | taken == {trial.number for trial in extended.trials()}
    by_phase = {phase: [t for t in extended.trials() if t.phase == phase] for phase in ("baselines", "search")}
    assert {t.number for t in by_phase["baselines"]} <= taken
    assert [t.number in taken for t in by_phase["search"]] == [True] * 6 + [False] * 3


def test_an_extension_that_finds_nothing_better_trains_nothing_but_its_trials(access: DataAccess) -> None:
    """The winner stays, so that all that follows the search is known, weights to export included."""
    base = SAMPLED | QUICK | {"objectives": [{"metric": "num_params", "direction": "min"}]}
    base |= {"export": {"top": 1, "ensemble": "none"}}
    base |= {"protocol": {**QUICK["protocol"], "finalists": 1}}
    short, extended, executor = MemoryJournal(), MemoryJournal(), EagerExecutor()
    first = run(spec_of(base=base, budget={"trials": 12}), short, access)
    second = run(spec_of(base=base, budget={"trials": 13}), extended, access, earlier(short), executor)
    if first["best"] == second["best"]:
        assert all(key.startswith("search/") for key in executor.finished)
    assert list(extended.exports) == [second["best"]["route_digest"]]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_an_interrupted_extension_ends_as_an_undisturbed_one(share: float, access: DataAccess) -> None:
    short, undisturbed, kept = MemoryJournal(), MemoryJournal(), MemoryJournal()
    run(spec_of(base=SAMPLED | QUICK, budget={"trials": 4}), short, access)
    longer, before = spec_of(base=SAMPLED | QUICK, budget={"trials": 8}), earlier(short)
    counted = InterruptedJournal(undisturbed)
    run(longer, counted, access, before)
    with pytest.raises(LeaseLostError):
        run(longer, InterruptedJournal(kept, at=int(share * len(counted.writes))), access, before)
    run(longer, kept, access, before)
    assert timeless_trials(kept.trials()) == timeless_trials(undisturbed.trials())
    assert timeless(kept.report) == timeless(undisturbed.report)


def test_trials_that_were_cut_off_are_tried_again(access: DataAccess) -> None:
    short = MemoryJournal()
    run(spec_of(base=SAMPLED | QUICK, budget={"trials": 6}), short, access)
    late = {4, 5}
    before = earlier(short)
    first = min(trial.number for trial in before.trials if trial.phase == "search")
    cut = [
        replace(t, notes={"cut": True}) if t.phase == "search" and t.number - first in late else t
        for t in before.trials
    ]
    extended = MemoryJournal()
    run(spec_of(base=SAMPLED | QUICK, budget={"trials": 6}), extended, access, replace(before, trials=cut))
    searched = [trial for trial in extended.trials() if trial.phase == "search"]
    assert ["from" in trial.notes for trial in searched] == [True] * 4 + [False] * 2


def test_other_data_cannot_extend_a_job(access: DataAccess) -> None:
    short = MemoryJournal()
    run(spec_of(base=SAMPLED | QUICK, budget={"trials": 2}), short, access)
    other = replace(earlier(short), data_digest="other")
    with pytest.raises(DataError, match="data of job first"):
        run(spec_of(base=SAMPLED | QUICK, budget={"trials": 4}), MemoryJournal(), access, other)


def test_a_gradient_search_that_a_limit_ended_goes_on_from_its_state(access: DataAccess) -> None:
    short, extended = MemoryJournal(), MemoryJournal()
    run(spec_of(base=SMALL | QUICK, budget={"candidate_steps": 11}), short, access)
    state = short.checkpoint("pack/search/reinforce")
    executor = EagerExecutor()
    report = run(
        spec_of(base=SMALL | QUICK, budget={"candidate_steps": 14}), extended, access, earlier(short), executor
    )
    assert state is not None
    assert executor.resumed == ["search/reinforce"]
    searched = [trial for trial in extended.trials() if trial.phase == "search"]
    charged = STEPS * (1 + POLICY_STEP) + len(searched) * EVALUATION + YARDSTICK
    assert report["search"]["candidate_steps"] == pytest.approx(charged)
