"""Packs on their way through Tune: none is lost, none is told twice, and no actor idles while a pack waits for one."""

import pickle
import threading
from queue import SimpleQueue
from typing import Any

import pytest

from mtnas.errors import LostActorError, OutOfMemoryError
from mtnas.run.packs.pack_events import PackCheckpoint, PackFailed, PackStarted, TrainResult
from mtnas.run.packs.pack_task import PackTask
from mtnas.trials import Place
from tests.workers.packs import pack
from workers.ray.tune.packs_in_flight import START_S, Flights

PLACE = Place(node="n", process=1, device="cpu")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flights(clock: Clock) -> Flights:
    return Flights(most_deaths=1, now=clock)


def _tasks(count: int) -> list[PackTask]:
    return [pack(f"p{n}") for n in range(count)]


def _heard(told: "SimpleQueue[Any]") -> list[Any]:
    return [told.get_nowait() for _ in range(told.qsize())]


def _end(key: str) -> TrainResult:
    return TrainResult(key=key, place=PLACE, outcomes=())


def _fly(flights: Flights, trial: str) -> str:
    """A trial takes the next pack, which starts and ends; the pack's name."""
    flight = flights.board(trial)
    assert flight is not None
    flights.start(trial)
    flights.tell(trial, _end(flight.task.key))
    return flight.task.key


def test_packs_leave_in_order_and_their_events_go_to_whom_sent_them(flights: Flights) -> None:
    first, second = flights.add(_tasks(2), None), flights.add([pack("other")], None)
    assert [_fly(flights, f"t{n}") for n in range(3)] == ["p0", "p1", "other"]
    assert [event.key for event in _heard(first)] == ["p0", "p1"]
    assert [event.key for event in _heard(second)] == ["other"]


def test_a_pack_goes_on_from_its_last_checkpoint_until_it_has_died_too_often(flights: Flights) -> None:
    told = flights.add(_tasks(2), None)
    flights.board("a")
    flights.tell("a", PackStarted(key="p0", place=PLACE))
    flights.tell("a", PackCheckpoint(key="p0", state=b"rung"))
    flights.crash("a", "killed")
    again = flights.board("b")
    assert again is not None
    assert (again.task.key, again.task.resume) == ("p0", b"rung"), "first in the line again"
    flights.crash("b", "killed by a signal")
    failed = _heard(told)[-1]
    assert isinstance(failed, PackFailed)
    assert (type(failed.error), failed.place) == (LostActorError, PLACE)
    assert "2 that died, the last one because: killed by a signal" in str(failed.error)


def test_running_out_of_memory_is_told_as_such(flights: Flights) -> None:
    told = flights.add(_tasks(1), None)
    for trial in "ab":
        flights.board(trial)
        flights.crash(trial, "OutOfMemoryError: the node")
    assert isinstance(_heard(told)[-1].error, OutOfMemoryError)


def test_what_happens_to_a_trial_after_its_pack_has_ended_is_nobodys_business(flights: Flights) -> None:
    told = flights.add(_tasks(1), None)
    _fly(flights, "a")
    flights.crash("a", "killed")
    assert [type(event) for event in _heard(told)] == [TrainResult]
    assert flights.must_stop("a")


def test_an_actor_without_a_pack_stays_until_a_pack_waits(flights: Flights) -> None:
    flights.add(_tasks(2), None)
    for trial in "ab":
        _fly(flights, trial)
    assert not flights.must_stop("a")
    assert not flights.must_stop("b")
    flights.add([pack("next")], None)
    assert [flights.must_stop(trial) for trial in "ab"] == [True, False], "one pack needs one actor"
    flights.land("a")
    assert _fly(flights, "c") == "next"
    assert not flights.must_stop("b")


def test_an_actor_without_a_pack_makes_room_for_a_trial_that_finds_none(flights: Flights, clock: Clock) -> None:
    flights.add(_tasks(2), None)
    _fly(flights, "a")
    flights.board("b")
    assert not flights.must_stop("a"), "its own actor may be about to start"
    clock.now = START_S + 1
    assert flights.must_stop("a")
    flights.start("b")
    clock.now = 10 * START_S
    flights.add([pack("next")], None)
    flights.board("c")
    flights.tell("b", _end("p1"))
    assert flights.must_stop("b"), "the cluster is known to be crowded"
    flights.start("c")
    flights.tell("c", _end("next"))
    assert not flights.must_stop("c")


def test_an_actor_that_no_pack_needs_is_kept(flights: Flights, clock: Clock) -> None:
    flights.add(_tasks(2), None)
    _fly(flights, "a")
    flights.board("b")
    flights.start("b")
    flights.tell("b", _end("p1"))
    assert not flights.must_stop("b")


def test_an_actor_without_a_pack_waits_for_others_that_are_about_to_start(flights: Flights) -> None:
    flights.add(_tasks(3), None)
    _fly(flights, "a")
    flights.board("b")
    assert not flights.must_stop("a"), "Tune would give its actor to b, and end b's own"
    flights.start("b")
    assert flights.must_stop("a")


def test_packs_that_nobody_listens_to_are_dropped_or_stopped(flights: Flights) -> None:
    told, other = flights.add(_tasks(2), None), flights.add([pack("other")], None)
    flights.board("a")
    flights.cancel(told)
    assert flights.must_stop("a")
    flights.tell("a", _end("p0"))
    flights.land("a")
    assert _fly(flights, "b") == "other"
    assert (_heard(told), [event.key for event in _heard(other)]) == ([], ["other"])


def test_a_lost_lease_stops_everything_and_wakes_whoever_waits(flights: Flights) -> None:
    waiting = threading.Thread(target=lambda: flights.board("a"))
    waiting.start()
    flights.close()
    waiting.join(5)
    assert not waiting.is_alive()
    assert flights.must_stop("b")
    flights.add(_tasks(1), None)
    assert flights.board("c") is None


def test_nothing_of_a_job_gets_into_tunes_pickles(flights: Flights) -> None:
    flights.add([pack("secret")], None)
    assert b"secret" not in pickle.dumps(flights)
