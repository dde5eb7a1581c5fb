"""One look for all: a single task asks the store what has become of every job that somebody follows."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from starlette.concurrency import run_in_threadpool

from mtnas.errors import StoreError
from mtnas.store import Pulse, Store

_log = logging.getLogger(__name__)


class News:
    """Tells one follower that its job may have changed."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def tell(self) -> None:
        """There may be something new."""
        self._event.set()

    def read(self) -> None:
        """Whatever was told until now is known."""
        self._event = anyio.Event()

    async def wait(self, seconds: float) -> bool:
        """Whether there was news within so many seconds."""
        with anyio.move_on_after(seconds):
            await self._event.wait()
            return True
        return False


class Watch:
    """The jobs that are followed in this process, and who follows them.

    Followers cost nothing while nothing happens: one query every ``every_s`` seconds is for all of them.
    """

    def __init__(self, store: Store, *, every_s: float) -> None:
        self._store, self._every_s = store, every_s
        self._followers: dict[str, set[News]] = defaultdict(set)
        self._pulses: dict[str, Pulse] = {}
        self.num_looks = 0

    @contextmanager
    def following(self, job_id: str) -> Iterator[News]:
        """News of a job, as long as the block lasts."""
        news = News()
        self._followers[job_id].add(news)
        try:
            yield news
        finally:
            self._followers[job_id].discard(news)
            if not self._followers[job_id]:
                del self._followers[job_id]
                self._pulses.pop(job_id, None)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            if self._followers:
                try:
                    await self._look()
                except StoreError as error:
                    _log.warning("looking for news failed", extra={"error": str(error)})
            await anyio.sleep(self._every_s)

    async def _look(self) -> None:
        self.num_looks += 1
        followed = list(self._followers)
        pulses = await run_in_threadpool(self._store.jobs.pulses, followed)
        for job_id in followed:
            # A job that this looks at for the first time counts as changed, and so does one that is there no more.
            pulse = pulses.get(job_id)
            if pulse is None or pulse != self._pulses.get(job_id):
                for news in self._followers.get(job_id, ()):
                    news.tell()
            if pulse is not None and job_id in self._followers:
                self._pulses[job_id] = pulse
