"""A child process with a log file: started, started again when it dies, ended for good."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

HEALTHY_S = 30.0
"""A child that lived so long is started again at once; one that died sooner waits longer every time."""
LONGEST_PAUSE_S = 30.0
LONGEST_LOG_BYTES = 64 * 2**20


class Child:
    """One child process, in a session of its own: a Ctrl-C in the terminal reaches the parent alone, which forwards it.

    Args:
        name: for messages.
        command: what to run.
        environment: the child's whole environment.
        log: file that its output is appended to.
        end_s: seconds between asking it to end and killing it with all it started.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, log: Path, end_s: float
    ) -> None:
        self.name, self.log = name, log
        self._command, self._environment, self._end_s = tuple(command), dict(environment), end_s
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._died = 0.0
        self._pause_s = 0.5

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started, self._died = time.monotonic(), 0.0

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def restart_if_dead(self) -> int | None:
        """Start it again, some time after it died; gives the id of the dead process, once."""
        if self.is_alive():
            return None
        now = time.monotonic()
        if not self._died:
            self._died = now
            self._pause_s = 0.5 if now - self._started > HEALTHY_S else min(2 * self._pause_s, LONGEST_PAUSE_S)
            print(f"mtnas: the {self.name} died ({self.last_words()}); starting it again", file=sys.stderr, flush=True)
            self._kill_session()
            assert self._process is not None, "it was started"
            return self._process.pid
        if now - self._died > self._pause_s:
            self.start()
        return None

    def rotate_log(self) -> None:
        """Begin the log anew once it is long; the one before is kept. The child appends, so it need not know."""
        if self.log.is_file() and self.log.stat().st_size > LONGEST_LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_name(f"{self.log.name}.1"))
            os.truncate(self.log, 0)

    def end(self) -> None:
        """Ask it to end, wait, and kill what is left of it."""
        if self._process is None:
            return
        if self.is_alive():
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(self._end_s)
            except subprocess.TimeoutExpired:
                print(f"mtnas: the {self.name} did not end in {self._end_s:.0f} s; killed", file=sys.stderr, flush=True)
        self._kill_session()
        self._process.wait()

    def last_words(self) -> str:
        """How it ended: the signal that killed it, or its exit status and the last line of its log."""
        status = None if self._process is None else self._process.poll()
        if status is not None and status < 0:
            return f"killed by {signal.Signals(-status).name}"
        lines = self.log.read_text(errors="replace").splitlines() if self.log.is_file() else []
        words = lines[-1].strip() if lines else "no output"
        return words if status is None else f"status {status}: {words}"

    def _kill_session(self) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
