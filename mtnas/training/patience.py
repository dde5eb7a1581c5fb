"""Patience: candidates that no longer improve on ``valid`` end, and their pack goes on without them.

Legend: K candidates that began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from mtnas.supernets import Supernet
from mtnas.training.measuring.evaluate import PackMetrics
from mtnas.training.pack_state import STEP, join, keep
from mtnas.training.trainer import Look, PackTrainer

STOPPED = "stopped"


class PatientTrainer:
    """A pack that shrinks: as :class:`PackTrainer`, but a candidate ends where it has not improved for a while.

    A candidate ends at the first look that is ``patience`` looks or more after its best one, whatever its company,
    and its state is put aside. The others go on in a smaller pack, from their states, as they would have alone.
    """

    def __init__(self, build: Callable[[Sequence[int]], PackTrainer], *, num_candidates: int, patience: int) -> None:
        """Begin with all candidates.

        Args:
            build: makes the untrained pack of the candidates at some positions.
            num_candidates: K.
            patience: looks without an improvement that a candidate is given.
        """
        self._build = build
        self._alive = list(range(num_candidates))
        self._pack = build(self._alive)
        self._patience_steps = patience * self._pack.look_every
        self._aside: dict[int, dict[str, Tensor]] = {}
        self._stopped = torch.zeros(num_candidates, dtype=torch.int64)
        self._step = 0
        self._whole: PackTrainer | None = None
        self._seconds_before = 0.0
        self.total_steps = self._pack.total_steps

    @property
    def step_seconds(self) -> float:
        """What the steps took."""
        return self._seconds_before + self._pack.step_seconds

    @property
    def best_steps(self) -> list[int]:
        """See :class:`PackTrainer`."""
        return self._together().best_steps

    @property
    def net(self) -> Supernet:
        """Of all candidates; after the last step it holds their best weights."""
        return self._together().net

    def steps_taken(self, end: int) -> list[int]:
        """By candidate, the step it was ended at, or ``end``."""
        return [stopped or end for stopped in self._stopped.tolist()]

    def run(self, *, until: int | None = None) -> Iterator[Look]:
        """Train to the end or to a rung; see :class:`PackTrainer`. Scores are of the candidates that still go on."""
        end = self.total_steps if until is None else min(until, self.total_steps)
        self._whole = None
        while self._alive and self._step < end:
            for look in self._pack.run(until=end):
                self._step = look.step
                yield look
                done = [
                    place
                    for place, best in enumerate(self._pack.best_steps)
                    if look.step < self.total_steps and look.step - best >= self._patience_steps
                ]
                if done:
                    self._put_aside(done)
                    break
        if self._step < end:  # all have ended before
            self._step = end
            yield Look(step=end, total_steps=self.total_steps, scores=torch.empty(0))

    def best_metrics(self, parts: Sequence[str]) -> dict[str, PackMetrics]:
        """See :class:`PackTrainer`."""
        return self._together().best_metrics(parts)

    def best_outputs(self, parts: Sequence[str]) -> dict[str, Tensor]:
        """See :class:`PackTrainer`."""
        return self._together().best_outputs(parts)

    def state(self) -> dict[str, Tensor]:
        """Of all candidates, with the step that each was ended at (0 while it goes on)."""
        pieces = dict(self._aside)
        if self._alive:
            state = self._pack.state()
            pieces |= {k: keep(state, [place]) for place, k in enumerate(self._alive)}
        step = torch.tensor(self._step)
        whole = join([{**pieces[k], STEP: step} for k in sorted(pieces)])
        return whole | {STOPPED: self._stopped.clone()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of the same candidates."""
        self._stopped = state[STOPPED].clone()
        self._step, self._whole = int(state[STEP]), None
        own = {name: tensor for name, tensor in state.items() if name != STOPPED}
        stopped = self._stopped.tolist()
        self._aside = {k: keep(own, [k]) for k, at in enumerate(stopped) if at}
        self._alive = [k for k, at in enumerate(stopped) if not at]
        if self._alive:
            self._pack = self._build(self._alive)
            self._pack.load_state(keep(own, self._alive))

    def _put_aside(self, done: Sequence[int]) -> None:
        """End the candidates at these places of the present pack."""
        state = self._pack.state()
        for place in done:
            k = self._alive[place]
            self._aside[k], self._stopped[k] = keep(state, [place]), self._step
        going = [place for place in range(len(self._alive)) if place not in set(done)]
        self._alive = [self._alive[place] for place in going]
        if going:
            self._seconds_before += self._pack.step_seconds
            self._pack = self._build(self._alive)
            self._pack.load_state(keep(state, going))

    def _together(self) -> PackTrainer:
        """All candidates in one pack again, as they are or ended."""
        if self._whole is None:
            state = self.state()
            state.pop(STOPPED)
            self._whole = self._build(range(len(self._stopped)))
            self._whole.load_state(state)
            if self._step == self.total_steps:
                list(self._whole.run())  # takes no step, and lets the net hold the best weights
        return self._whole
