"""How long a search has been at work: the wall time of all attempts, without queues and pauses."""

from __future__ import annotations

import json
import time

from mtnas.run.journal import Journal


class WorkClock:
    """Runs while the search does. What an attempt took counts up to its last ``save``.

    Args:
        journal: where earlier attempts have written down their time; only asked where there is a deadline.
        deadline_s: seconds until the deadline; ``None`` for no deadline.
        name: under which.
    """

    def __init__(self, journal: Journal, deadline_s: float | None, *, name: str = "search/seconds") -> None:
        self._journal, self._deadline_s, self._name = journal, deadline_s, name
        kept = None if deadline_s is None else journal.checkpoint(name)
        self._before = 0.0 if kept is None else float(json.loads(kept)["seconds"])
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time at work so far."""
        return self._before + time.monotonic() - self._began

    @property
    def stop_at(self) -> float | None:
        """The moment of the deadline in seconds since 1970, which other machines understand."""
        return None if self._deadline_s is None else time.time() + self._deadline_s - self.seconds

    def save(self) -> None:
        """Let later attempts know the time so far, if there is a deadline."""
        if self._deadline_s is not None:
            self._journal.save_checkpoint(self._name, json.dumps({"seconds": self.seconds}).encode())
