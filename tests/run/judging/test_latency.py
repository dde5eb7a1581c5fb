"""Measured latency: of frozen routes, once each; an objective and a limit of whole jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mtnas.data import DataAccess, EncodedData
from mtnas.errors import SearchError
from mtnas.routes import NAMED_ROUTES, InputShape, Route, Tower, cost
from mtnas.routes.schemes.by_name import Size
from mtnas.run import MemoryJournal
from mtnas.run.judging.latency import latencies_us
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import Outcome, PackEvent, TrainResult
from mtnas.run.packs.pack_task import PackTask, TrainWork
from mtnas.spec import JobSpec
from mtnas.supernets import Supernet
from mtnas.trials import LATENCY, Trial, TrialState
from tests.run.jobs import SAMPLED, run, spec_of
from tests.supernets.batches import random_features

INPUTS = InputShape(num_numeric=32)
TOWERS = (Tower(task="a", reads=""), Tower(task="b", reads=""))
OBJECTIVES = [{"metric": "mean_gain", "direction": "max"}, {"metric": LATENCY, "direction": "min"}]
SEARCH = {"kind": "nsga2", "generation": 4, "options": {"population": 4}}
TIMED = SAMPLED | {"objectives": OBJECTIVES, "search": SEARCH, "budget": {"trials": 12}}

Clock = Callable[[Route], float]


class TimingExecutor:
    """Runs packs one after another and writes latencies of its own over the measured ones."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.timed: list[Route] = []

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``Executor``."""
        for task in tasks:
            for event in execute(task, data):
                if isinstance(event, TrainResult) and isinstance(task.work, TrainWork):
                    routes = [candidate.route for candidate in task.work.candidates]
                    outcomes = tuple(self._told(o, r) for o, r in zip(event.outcomes, routes, strict=True))
                    yield replace(event, outcomes=outcomes)
                else:
                    yield event

    def _told(self, outcome: Outcome, route: Route) -> Outcome:
        if LATENCY not in outcome.evaluations[0].costs:
            return outcome
        self.timed.append(route)
        costs = dict(outcome.evaluations[0].costs) | {LATENCY: self.clock(route)}
        return replace(outcome, evaluations=tuple(replace(e, costs=costs) for e in outcome.evaluations))


def by_length(route: Route) -> float:
    """A made-up latency: routes of many connections are slow."""
    return float(len(route.text))


def searched(journal: MemoryJournal) -> list[Trial]:
    return [trial for trial in journal.trials() if trial.phase == "search"]


def test_a_wide_route_takes_longer_than_a_narrow_one() -> None:
    nets, macs = [], []
    for width in (16, 1024):
        found = NAMED_ROUTES["shared_bottom"](TOWERS, Size(width=width))
        nets.append(Supernet(found.graph, INPUTS, [0]))
        macs.append(cost(found.graph, found.route, INPUTS).macs)
    narrow, wide = latencies_us(nets, random_features(INPUTS, rows=1024, seed=0, dtype=torch.float32))
    assert macs[1] > 20 * macs[0]
    assert wide > 2 * narrow > 0


def test_routes_are_timed_on_one_thread_without_gradients() -> None:
    before, seen = torch.get_num_threads(), set[tuple[int, bool]]()
    found = NAMED_ROUTES["shared_bottom"](TOWERS, Size(width=4))
    net = Supernet(found.graph, INPUTS, [0])
    net.register_forward_hook(lambda *_: seen.add((torch.get_num_threads(), torch.is_grad_enabled())))
    torch.set_num_threads(2)
    try:
        latencies_us([net], random_features(INPUTS, rows=8, seed=0, dtype=torch.float32))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == {(1, False)}


def test_a_job_measures_every_route_and_reports_it(access: DataAccess) -> None:
    journal = MemoryJournal()
    report = run(spec_of(base=TIMED), journal, access)
    trials = journal.trials()
    assert all(trial.values[LATENCY] > 0 for trial in trials)
    latency_of = {trial.route_digest: trial.values[LATENCY] for trial in trials}
    assert [trial.values[LATENCY] for trial in trials] == [latency_of[trial.route_digest] for trial in trials]
    assert [row[LATENCY] for row in report["rows"]] == [latency_of[row["route_digest"]] for row in report["rows"]]
    assert report["latency"] == {
        "unit": "us per batch",
        "rows": 256,
        "threads": 1,
        "max_latency_us": None,
        "reproducible": False,
    }
    assert report["search"]["stop"]["reproducible"] is False
    answered = [row for row in journal.routes.values() if row.phase == "retrain"]
    assert {row.values[LATENCY] for row in answered} <= set(latency_of.values())


def test_a_route_is_timed_once(access: DataAccess) -> None:
    journal, executor = MemoryJournal(), TimingExecutor(by_length)
    run(spec_of(base=TIMED), journal, access, executor)
    assert len(executor.timed) == len({trial.route_digest for trial in journal.trials()})


def test_the_searcher_follows_the_latency(access: DataAccess) -> None:
    asked = []
    for clock in (by_length, by_length, lambda route: 1e4 - by_length(route)):
        journal = MemoryJournal()
        run(spec_of(base=TIMED), journal, access, TimingExecutor(clock))
        asked.append([trial.candidate for trial in searched(journal)])
    assert asked[0] == asked[1]
    assert asked[0][:4] == asked[2][:4]
    assert asked[0] != asked[2]


def test_routes_beyond_the_limit_count_as_worst_and_are_no_finalists(access: DataAccess) -> None:
    free = MemoryJournal()
    run(spec_of(base=TIMED), free, access, TimingExecutor(by_length))
    most = float(np.median([trial.values[LATENCY] for trial in searched(free)[:4]]))
    journal = MemoryJournal()
    report = run(spec_of(base=TIMED, constraints={"max_latency_us": most}), journal, access, TimingExecutor(by_length))
    trials = searched(journal)
    beyond = [trial for trial in trials if trial.values[LATENCY] > most]
    assert beyond
    assert [trial.number for trial in trials if trial.is_infeasible] == [trial.number for trial in beyond]
    assert {trial.state for trial in beyond} == {TrialState.COMPLETE}
    assert report["search"]["infeasible"] == len(beyond)
    assert all(row[LATENCY] <= most for row in report["rows"] if row["role"] == "finalist")


def test_a_limit_that_no_route_keeps_to_is_no_answer(access: DataAccess) -> None:
    spec = spec_of(base=TIMED, constraints={"max_latency_us": 1.0}, budget={"trials": 4})
    with pytest.raises(SearchError, match="max_latency_us: expected at most 1 for 256 rows"):
        run(spec, MemoryJournal(), access, TimingExecutor(by_length))


def test_nothing_is_timed_unless_somebody_asks(access: DataAccess) -> None:
    journal = MemoryJournal()
    report = run(spec_of(base=SAMPLED, budget={"trials": 3}), journal, access)
    assert not any(LATENCY in trial.values for trial in journal.trials())
    assert report["latency"] is None
    assert {row[LATENCY] for row in report["rows"]} == {None}


@pytest.mark.parametrize("kind", ["reinforce", "one_shot", "darts"])
@pytest.mark.parametrize("change", [{"objectives": OBJECTIVES}, {"constraints": {"max_latency_us": 50.0}}])
def test_searches_over_shared_weights_refuse_what_only_trained_routes_have(kind: str, change: object) -> None:
    with pytest.raises(ValidationError, match=f"expected a search by trials, found '{kind}'"):
        JobSpec.model_validate({**SAMPLED, "search": {"kind": kind}} | change)  # type: ignore[operator]
