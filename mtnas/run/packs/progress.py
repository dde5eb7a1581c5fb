"""How far a phase is: its packs' events as one share of the work, throughput and time left."""

from __future__ import annotations

from dataclasses import dataclass

from mtnas.run.packs.pack_events import PackEnd, PackEvent, PackProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The share of a phase's work that some packs are."""

    begin: float = 0.0
    end: float = 1.0

    def part(self, begin: float, end: float) -> Stretch:
        """A stretch of this one."""
        length = self.end - self.begin
        return Stretch(begin=self.begin + length * begin, end=self.begin + length * end)


WHOLE = Stretch()


class PackMeter:
    """Counts what running packs have done.

    Args:
        num_packs: how many there are.
        stretch: what share of the phase they are.
        now: when they started, in seconds.
    """

    def __init__(self, num_packs: int, stretch: Stretch, now: float) -> None:
        self.num_packs, self.stretch, self.started = num_packs, stretch, now
        self.done = 0
        self._latest: dict[str, PackProgress] = {}

    def note(self, event: PackEvent) -> None:
        """Take an event in."""
        if isinstance(event, PackProgress):
            self._latest[event.key] = event
        elif isinstance(event, PackEnd):
            self.done += 1

    def split(self, into: int) -> None:
        """A pack that ended is done again as several."""
        self.num_packs += into - 1
        self.done -= 1

    @property
    def finished(self) -> bool:
        """Whether all packs have ended."""
        return self.done == self.num_packs

    @property
    def candidate_steps(self) -> float:
        """Of all candidates, as ``mtnas.search.budgets.passes`` counts them."""
        return sum(progress.candidate_steps for progress in self._latest.values())

    @property
    def share(self) -> float:
        """Of the packs' work that is done."""
        share = sum(progress.step / progress.total_steps for progress in self._latest.values()) / max(self.num_packs, 1)
        return min(1.0, max(share, self.done / max(self.num_packs, 1)))


class PhaseProgress:
    """What followers of a job see of its current phase; its share never falls."""

    def __init__(self) -> None:
        self._share = 0.0
        self._first: tuple[float, float] | None = None

    def figures(self, meter: PackMeter, now: float) -> dict[str, float | int | None]:
        """Packs, share of the phase's work done, candidate-steps per second, seconds left (None while unknown).

        Args:
            meter: of the packs at work.
            now: seconds on the clock that the meter was started with.
        """
        stretch, seconds = meter.stretch, now - meter.started
        self._share = max(self._share, stretch.begin + (stretch.end - stretch.begin) * meter.share)
        if self._first is None:
            self._first = (meter.started, stretch.begin)
        began, share_before = self._first
        gained = self._share - share_before
        left = (now - began) * (1 - self._share) / gained if gained > 0.01 else None
        return {
            "packs": meter.num_packs,
            "packs_done": meter.done,
            "share": round(self._share, 4),
            "candidate_steps_per_s": round(meter.candidate_steps / seconds, 1) if seconds > 0 else 0.0,
            "seconds_left": None if left is None else round(left, 1),
        }
