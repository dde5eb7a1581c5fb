"""How far a phase is: a share that is one, never falls, and ends at one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mtnas.data import DataAccess
from mtnas.errors import OutOfMemoryError
from mtnas.run import Executor, InProcessExecutor, MemoryJournal
from mtnas.run.packs.pack_events import PackFailed, PackProgress
from mtnas.run.packs.progress import WHOLE, PackMeter, PhaseProgress, Stretch
from tests.lean import NO_MODELS
from tests.run.jobs import SAMPLED, SMALL, FailingExecutor, run, size_of, spec_of

OOM = OutOfMemoryError(expected="less", found="more", where="pack")


def step(key: str, done: int, total: int = 10) -> PackProgress:
    return PackProgress(key=key, step=done, total_steps=total, candidate_steps=3 * done, seconds=1.0)


def test_the_share_is_the_mean_over_the_packs() -> None:
    meter = PackMeter(4, WHOLE, 0.0)
    assert meter.share == 0
    meter.note(step("a", 5))
    meter.note(step("b", 10))
    assert meter.share == pytest.approx(1.5 / 4)


def test_packs_without_steps_count_when_they_end() -> None:
    meter = PackMeter(2, WHOLE, 0.0)
    meter.note(PackFailed(key="a", place=None, error=OOM))
    assert (meter.share, meter.finished) == (0.5, False)
    meter.note(PackFailed(key="b", place=None, error=OOM))
    assert (meter.share, meter.finished) == (1.0, True)


def test_throughput_and_time_left_follow_the_clock() -> None:
    meter, progress = PackMeter(2, WHOLE, 100.0), PhaseProgress()
    assert progress.figures(meter, 100.0)["seconds_left"] is None
    meter.note(step("a", 5))
    figures = progress.figures(meter, 110.0)
    assert figures == {
        "packs": 2,
        "packs_done": 0,
        "share": 0.25,
        "candidate_steps_per_s": 1.5,
        "seconds_left": 30.0,
    }


def test_time_left_of_work_that_goes_on_counts_what_this_process_did() -> None:
    """Four fifths were done before: at once, as far as this process can see."""
    meter, progress = PackMeter(1, WHOLE.part(0.8, 1.0), 0.0), PhaseProgress()
    meter.note(step("a", 5))
    figures = progress.figures(meter, 10.0)
    assert figures["share"] == 0.9
    assert figures["seconds_left"] == pytest.approx(10.0)


def test_a_pack_that_is_split_never_turns_the_share_back() -> None:
    meter, progress = PackMeter(2, WHOLE, 0.0), PhaseProgress()
    meter.note(PackFailed(key="a", place=None, error=OOM))
    before = progress.figures(meter, 1.0)["share"]
    meter.split(2)
    assert (meter.num_packs, meter.done) == (3, 0)
    assert progress.figures(meter, 2.0)["share"] == before
    for key in ("a1", "a2", "b"):
        meter.note(step(key, 10))
        meter.note(PackFailed(key=key, place=None, error=OOM))
    assert progress.figures(meter, 3.0)["share"] == 1.0


def test_stretches_nest() -> None:
    part = Stretch(begin=0.2, end=0.6).part(0.5, 1.0)
    assert (part.begin, part.end) == pytest.approx((0.4, 0.6))


class _Recorder(MemoryJournal):
    """Keeps the progress of every phase."""

    def __init__(self) -> None:
        super().__init__()
        self.shares: dict[str, list[float]] = {}
        self.figures: list[Mapping[str, Any]] = []

    def progress(self, figures: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        super().progress(figures)
        self.shares.setdefault(self.phases[-1], []).append(figures["share"])
        self.figures.append(figures)


STANDARD = {
    "level": "quick",
    **NO_MODELS,
    "baselines": ["shared_bottom"],
    "seeds": 1,
    "finalists": 1,
    "random_search": True,
} | {
    **NO_MODELS,
}


@pytest.mark.parametrize(
    ("base", "executor"),
    [
        (SMALL, InProcessExecutor()),
        (SMALL | {"protocol": STANDARD}, InProcessExecutor()),
        (SAMPLED, InProcessExecutor()),
        (SAMPLED, FailingExecutor(lambda task: OOM if size_of(task) > 1 else None)),
    ],
    ids=["reinforce", "with random search", "sampled", "halved packs"],
)
def test_every_phase_goes_from_nothing_to_all_without_a_step_back(
    base: Mapping[str, Any], executor: Executor, access: DataAccess
) -> None:
    journal = _Recorder()
    run(spec_of(base=base), journal, access, executor)
    assert journal.shares.keys() == {"baselines", "search", "retrain"}
    for shares in journal.shares.values():
        assert shares == sorted(shares)
        assert 0 <= shares[0] <= shares[-1] == 1.0
    for figures in journal.figures:
        assert 0 <= figures["packs_done"] <= figures["packs"]
        assert figures["candidate_steps_per_s"] >= 0
        assert figures["seconds_left"] is None or figures["seconds_left"] >= 0
