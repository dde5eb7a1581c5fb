"""Recurrent blocks as arithmetic: sequences travel as flat vectors, and every block knows the sequence it reads.

An activation of C channels over T steps is a vector of width C*T, the steps of a channel in a row, as several columns
of lists beside each other give it. Junctions and towers treat it like any other vector.
"""

from __future__ import annotations

from dataclasses import dataclass

RECURRENT = ("gru", "gru_last")
GATES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """The shape of an activation: channels, steps."""

    channels: int
    steps: int

    @property
    def size(self) -> int:
        """Width of the flat vector."""
        return self.channels * self.steps


def read_sequence(numbers: tuple[int, ...]) -> Sequence:
    """The sequence that a block reads, from its first two numbers."""
    return Sequence(channels=numbers[0], steps=numbers[1])


def states(numbers: tuple[int, ...]) -> Sequence:
    """The states that a recurrent block gives: as many channels as it has units."""
    return Sequence(channels=numbers[2], steps=numbers[1])


def cell_params(numbers: tuple[int, ...]) -> int:
    """Parameters of a gated recurrent unit: for each of three gates two products and two biases."""
    return cell_macs(numbers) + 2 * GATES * numbers[2]


def cell_macs(numbers: tuple[int, ...]) -> int:
    """Multiply-accumulates of one step."""
    channels, _, units = numbers
    return GATES * units * (channels + units)
