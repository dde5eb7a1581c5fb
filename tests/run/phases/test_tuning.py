"""A job whose grids grow: every entrant is tuned alike, and a second attempt trains nothing again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from mtnas.data import DataAccess, EncodedData
from mtnas.run import MemoryJournal
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import PackEvent
from mtnas.run.packs.pack_task import PackTask
from tests.lean import NO_MODELS
from tests.run.jobs import SAMPLED, TRAINING, run, spec_of, timeless

GROWING: dict[str, Any] = SAMPLED | {
    "search": {"kind": "random", "generation": 2},
    "budget": {"trials": 2},
    "training": TRAINING | {"lr": {"grid": [1e-6, 2e-6]}, "weight_decay": {"grid": [0.1, 0.4]}, "extend": 1},
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "baselines": ["shared_bottom"],
        "seeds": 1,
        "finalists": 1,
    },
}


class Breaking:
    """Runs so many packs, then breaks off."""

    def __init__(self, packs: int) -> None:
        self.left = packs

    def run(self, tasks: Sequence[PackTask], data: EncodedData) -> Iterator[PackEvent]:
        """See ``Executor``."""
        for task in tasks:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            yield from execute(task, data)


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> DataAccess:
    return DataAccess(cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def done(access: DataAccess) -> tuple[MemoryJournal, Any]:
    journal = MemoryJournal()
    return journal, run(spec_of(base=GROWING), journal, access)


def test_every_entrant_grows_its_grid_where_its_own_best_lies(done: tuple[MemoryJournal, Any]) -> None:
    journal, report = done
    trials = [trial for trial in journal.trials() if trial.phase in ("baselines", "tune")]
    for label, tuned in report["tuning"].items():
        pairs = [(t.candidate.settings.lr, t.candidate.settings.weight_decay) for t in trials if t.label == label]
        assert pairs[:2] == [(1e-6, 0.4), (2e-6, 0.4)]
        assert pairs[2] in [(4e-6, 0.4), (5e-7, 0.4)]
        assert pairs[3] == (tuned["lr"], 0.1)
        assert pairs[4] in [(tuned["lr"], 1.6), (tuned["lr"], 0.025)]
        assert len(pairs) == 5
        assert sorted(map(float, tuned["decay_curve"])) == sorted({pair[1] for pair in pairs[3:]} | {0.4})
    retrained = {t.label: t.candidate.settings for t in journal.trials() if t.phase == "retrain"}
    for label, tuned in report["tuning"].items():
        assert (retrained[label].lr, retrained[label].weight_decay) == (tuned["lr"], tuned["weight_decay"])


@pytest.mark.parametrize("packs", [3, 6])
def test_an_interrupted_tuning_goes_on_with_the_same_trials(
    done: tuple[MemoryJournal, Any], access: DataAccess, packs: int
) -> None:
    journal = MemoryJournal()
    with pytest.raises(KeyboardInterrupt):
        run(spec_of(base=GROWING), journal, access, Breaking(packs))
    report = run(spec_of(base=GROWING), journal, access)
    assert timeless(report) == timeless(done[1])
