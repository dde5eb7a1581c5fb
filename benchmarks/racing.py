"""Races of training loops in processes of their own: turn by turn, so that a change of the machine hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median

import torch

Loop = Callable[..., Iterator[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A training loop in a race.

    Attributes:
        name: in the results.
        loop: yields the candidate-steps that it has just taken, for ever; a function of a module.
        settings: arguments of the loop.
        processes: how many run it at the same time.
        threads: intra-op threads of each.
    """

    name: str
    loop: Loop
    settings: Mapping[str, object]
    processes: int
    threads: int


class Team:
    """The processes of an entrant."""

    def __init__(self, entrant: Entrant) -> None:
        self.entrant = entrant
        context = get_context("spawn")
        self._ends: list[Connection] = []
        self._processes = []
        for number in range(entrant.processes):
            mine, theirs = context.Pipe()
            arguments = (theirs, entrant.loop, dict(entrant.settings), entrant.threads, number)
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            self._ends.append(mine)
            self._processes.append(process)

    def turn(self, seconds: float) -> float:
        """Candidate-steps per second of all processes together."""
        for end in self._ends:
            end.send(seconds)
        return sum(end.recv() for end in self._ends)

    def close(self) -> None:
        """End the processes."""
        for end in self._ends:
            end.send(None)
        for process in self._processes:
            process.join()


def race(entrants: Sequence[Entrant], *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Candidate-steps per second by entrant, one figure a round; a first round warms up and does not count."""
    teams = [Team(entrant) for entrant in entrants]
    try:
        found: dict[str, list[float]] = {entrant.name: [] for entrant in entrants}
        for number in range(rounds + 1):
            for team in teams:
                speed = team.turn(seconds)
                if number:
                    found[team.entrant.name].append(speed)
        return found
    finally:
        for team in teams:
            team.close()


def ratio(speeds: Mapping[str, Sequence[float]], name: str, to: str) -> float:
    """Median over rounds of one entrant's speed over another's."""
    return median(mine / theirs for mine, theirs in zip(speeds[name], speeds[to], strict=True))


def _work(end: Connection, loop: Loop, settings: dict[str, object], threads: int, number: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(number)
    steps = loop(**settings)
    while (seconds := end.recv()) is not None:
        taken, started = 0, time.perf_counter()
        while (spent := time.perf_counter() - started) < seconds:
            taken += next(steps)
        end.send(taken / spent)
