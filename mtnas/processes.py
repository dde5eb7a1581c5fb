"""How a process is asked to end: by a signal, or by the death of the command that started it."""

from __future__ import annotations

import os
import signal
import socket
import threading

PARENT_VARIABLE = "MTNAS_PARENT_PID"
"""Environment variable by which a parent tells a child whom to watch."""

_LOOK_S = 1.0


def worker_name(process: int) -> str:
    """What the worker that is this process of this machine is called: leases name it, and its supervisor ends them."""
    return f"{socket.gethostname()}/{process}"


def set_on_signal(event: threading.Event) -> None:
    """Set the event on SIGINT and SIGTERM. To be called in the main thread.

    A thread sets it: the handler may run while the main thread holds the event's own lock, inside ``wait``.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: threading.Thread(target=event.set).start())


def end_with_parent() -> None:
    """End this process by SIGTERM once the parent named in the environment is gone; without a name, do nothing."""
    parent = os.environ.get(PARENT_VARIABLE, "")
    if parent.isdecimal():
        threading.Thread(target=_watch, args=(int(parent),), name="orphan watch", daemon=True).start()


def _watch(parent: int) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(_LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)
