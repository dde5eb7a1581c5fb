"""The journal in the store keeps what a job writes, as the journal in memory does."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtnas.errors import CancelledError, LeaseLostError, OutOfDiskError, StoreError
from mtnas.routes import Route
from mtnas.run import Journal, MemoryJournal
from mtnas.store import JobKind, Store
from mtnas.trials import Candidate, Evaluation, Place, Settings, Trial, TrialState
from workers import store_journal
from workers.store_journal import StoreJournal

ROUTE = Route.parse("in<-x:pass; to.a<-l1.0+l1.1:softmax(input); l1.0=mlp(8); l1.1=mlp(8)")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'mtnas.sqlite'}", artifacts=tmp_path / "artifacts") as opened:
        yield opened


def _journal(store: Store) -> StoreJournal:
    store.jobs.submit(JobKind.SEARCH, "j", {})
    lease = store.leases.claim("test", lease_s=60)
    assert lease is not None
    return StoreJournal(store, store.hold(lease), lambda: None)


@pytest.fixture(params=["memory", "store"])
def journal(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Journal:
    return MemoryJournal(tmp_path / "exports") if request.param == "memory" else _journal(store)


def _trial(number: int, **changes: object) -> Trial:
    settings = Settings(lr=0.1 + 0.2, seed=3, gate={"temperature": 0.5})
    trial = Trial(
        number=number,
        phase="search",
        label="sampled",
        candidate=Candidate(route=ROUTE, settings=settings),
        state=TrialState.RUNNING,
        graph_digest="g" * 64,
        route_digest="r" * 64,
        notes={"weights": "inherited"},
    )
    return replace(trial, **changes)  # type: ignore[arg-type]


def _complete(number: int, auc: float = 0.7) -> Trial:
    evaluation = Evaluation(part="valid", per_task={"a": {"auc": auc}}, costs={"device_seconds": 0.25})
    place = Place(node="n", process=7, device="cpu", actor="x")
    return _trial(number, state=TrialState.COMPLETE, evaluations=(evaluation,), values={"mean_gain": 0.01}, place=place)


def test_finished_trials_come_back_as_they_were_by_number(journal: Journal) -> None:
    journal.add_trials([_trial(number) for number in range(3)])
    failed = _trial(0, state=TrialState.FAILED, failure="diverged")
    journal.finish_trials([_complete(2)])
    journal.finish_trials([failed])
    assert journal.trials() == [failed, _complete(2)]


def test_undefined_figures_stay_undefined(journal: Journal) -> None:
    journal.add_trials([_trial(0)])
    journal.finish_trials([_complete(0, auc=math.nan)])
    (trial,) = journal.trials()
    assert math.isnan(trial.on("valid").per_task["a"]["auc"])


def test_writing_a_trial_again_changes_nothing(journal: Journal) -> None:
    for auc in (0.7, 0.9):
        journal.add_trials([_trial(0)])
        journal.finish_trials([_complete(0, auc=auc)])
    assert journal.trials() == [_complete(0, auc=0.7)]


def test_the_latest_checkpoint_counts(journal: Journal) -> None:
    assert journal.checkpoint("pack/a") is None
    journal.save_checkpoint("pack/a", b"one")
    journal.save_checkpoint("pack/a", b"two")
    journal.save_checkpoint("pack/b", b"other")
    assert journal.checkpoint("pack/a") == b"two"
    journal.forget_checkpoints(["pack/a", "pack/never"])
    assert journal.checkpoint("pack/a") is None
    assert journal.checkpoint("pack/b") == b"other"


def test_an_export_is_known_once_it_is_ready(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "model.py").write_text("x = 1\n")
    assert not journal.has_export("r" * 64)
    journal.add_export("r" * 64, tmp_path / "module", {"files": ["model.py"]})
    assert journal.has_export("r" * 64)


def test_the_test_part_is_counted_once_a_job(store: Store) -> None:
    first = _journal(store)
    assert [first.count_test_read("d"), first.count_test_read("d")] == [1, 1]
    assert _journal(store).count_test_read("d") == 2


def test_a_lost_lease_writes_nothing(store: Store) -> None:
    journal = _journal(store)
    job = store.jobs.list()[0]
    store.hold(_lease(journal)).release()
    with pytest.raises(LeaseLostError):
        journal.add_trials([_trial(0)])
    with pytest.raises(LeaseLostError):
        journal.save_checkpoint("pack/a", b"late")
    assert store.trials.list(job.id) == ()
    assert store.checkpoints.get(job.id, "pack/a") is None


def test_every_method_asks_whether_to_go_on(store: Store, tmp_path: Path) -> None:
    def stop() -> None:
        raise CancelledError(expected="to go on", found="a request", where="test")

    holding = store.hold(_lease(_journal(store)))
    journal = StoreJournal(store, holding, stop)
    calls = {
        "start_phase": lambda: journal.start_phase("x"),
        "progress": lambda: journal.progress({}),
        "event": lambda: journal.event("x", {}),
        "search_ended": lambda: journal.search_ended({}),
        "trials": journal.trials,
        "add_trials": lambda: journal.add_trials([]),
        "start_trials": lambda: journal.start_trials([], Place(node="n", process=1, device="cpu")),
        "finish_trials": lambda: journal.finish_trials([]),
        "checkpoint": lambda: journal.checkpoint("x"),
        "save_checkpoint": lambda: journal.save_checkpoint("x", b""),
        "forget_checkpoints": lambda: journal.forget_checkpoints(["x"]),
        "add_graphs": lambda: journal.add_graphs({}),
        "add_routes": lambda: journal.add_routes([], data_digest="d"),
        "put_report": lambda: journal.put_report({}),
        "count_test_read": lambda: journal.count_test_read("d"),
        "has_export": lambda: journal.has_export("r"),
        "add_export": lambda: journal.add_export("r", tmp_path, {}),
    }
    assert set(calls) == {name for name in vars(Journal) if not name.startswith("_")}
    for call in calls.values():
        with pytest.raises(CancelledError):
            call()


def _lease(journal: StoreJournal):  # type: ignore[no-untyped-def]
    return journal._holding.lease


def test_trials_that_were_read_are_not_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = _journal(store)
    journal.add_trials([_trial(number) for number in range(3)])
    journal.finish_trials([_complete(0)])
    assert journal.trials() == [_complete(0)]
    monkeypatch.setattr(store.trials, "list", None)  # whoever called it now would fail
    journal.finish_trials([_complete(1), _complete(2)])
    assert journal.trials() == [_complete(number) for number in range(3)]


def test_a_database_that_comes_back_costs_no_attempt(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, tries = _journal(store), 0
    event = journal._holding.event

    def away(kind: str, payload: Mapping[str, Any]) -> int:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise StoreError(expected="a database that answers", found="none", where="database")
        return event(kind, payload)

    monkeypatch.setattr(store_journal, "PAUSE_S", 0.001)
    monkeypatch.setattr(journal._holding, "event", away)
    journal.event("note", {"n": 1})
    assert [told.kind for told in store.events.after(journal._holding.lease.job_id)][-1] == "note"
    tries = 0
    monkeypatch.setattr(store_journal, "OUTAGE_S", 0.0)
    with pytest.raises(StoreError):
        journal.event("note", {"n": 2})


def test_a_full_disk_is_not_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = _journal(store)

    def full(_: str) -> None:
        raise OutOfDiskError(expected="room", found="none", where="database")

    monkeypatch.setattr(journal._holding, "start_phase", full)
    with pytest.raises(OutOfDiskError):
        journal.start_phase("search")
