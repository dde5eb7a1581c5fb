"""What searches over shared weights are charged: rows that pass through their networks, in candidate-steps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """Rows that have passed through one network, forward and backward.

    A **candidate-step** is one training step of one candidate: a forward and a backward pass over the rows of a batch,
    whatever its balancer makes of them. Sampled searches are charged the steps of their trials. A search over shared
    weights is charged every pass through its network: a forward and a backward pass over as many rows as a step of its
    weights has is 1, passes over other numbers of rows count in proportion, a backward pass counts twice a forward one
    (it multiplies for the inputs and for the weights), so that a forward pass alone counts a third. Steps of an
    architecture, rewards of a policy, evaluations of routes and the looks that decide what to propose are all in it. A
    pass through a supernet counts as one, like a candidate's, however much larger the supernet is. Measured time has no
    part in it, so the charge is the same on any machine, and after a resume.

    Attributes:
        forward: rows that passed forward.
        backward: rows that passed backward, once for every backward pass.
    """

    forward: int = 0
    backward: int = 0

    def __add__(self, other: Passes) -> Passes:
        return Passes(forward=self.forward + other.forward, backward=self.backward + other.backward)

    def __mul__(self, times: int) -> Passes:
        return Passes(forward=self.forward * times, backward=self.backward * times)

    def candidate_steps(self, step_rows: int) -> float:
        """The charge, where a step of the weights has so many rows."""
        return (self.forward + 2 * self.backward) / (3 * step_rows)


def looking(rows: int) -> Passes:
    """A forward pass alone."""
    return Passes(forward=rows)


def learning(rows: int, *, backward: int = 1) -> Passes:
    """A forward pass and so many backward ones."""
    return Passes(forward=rows, backward=backward * rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRows:
    """How many rows pass at a time, for some data and a recipe: what foresees a charge needs to know.

    Attributes:
        step: rows of a step of the weights.
        evaluation: rows of an evaluation on all of ``search``.
        labelled: labelled rows of ``search``, of all tasks, where rows belong to tasks; else its rows.
        num_tasks: of the job.
        own_rows: whether rows belong to tasks.
    """

    step: int
    evaluation: int
    labelled: int
    num_tasks: int
    own_rows: bool

    def held_out(self, asked: int) -> int:
        """Rows of a batch of ``search`` for which so many were asked."""
        if self.own_rows:
            return max(1, asked // self.num_tasks) * self.num_tasks
        return min(asked, self.evaluation)

    def held_out_batches(self, asked: int) -> int:
        """Such batches of an epoch."""
        return max(1, self.labelled // self.held_out(asked))
