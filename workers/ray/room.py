"""How many actors of a size the nodes of the Ray cluster can hold, and how long to wait while they hold none."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ray

from mtnas.errors import ServiceError, SpecError


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSize:
    """What one actor takes: a processor, and a share of a GPU if it is to have one."""

    num_cpus: float = 1.0
    num_gpus: float = 0.0

    def __str__(self) -> str:
        gpu = f" and {self.num_gpus:g} of a GPU" if self.num_gpus else ""
        return f"{self.num_cpus:g} processor{gpu}"


def nodes() -> list[Mapping[str, float]]:
    """Resources of the nodes that are alive, by Ray's names."""
    known: list[Mapping[str, object]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in known if node["Alive"]]  # type: ignore[misc]


def room(size: ActorSize, resources: Sequence[Mapping[str, float]]) -> int:
    """Actors of this size that fit at once, whatever else is running.

    An actor lives on one node, and a share of a GPU on one GPU: two GPUs hold four shares of 0.4, not five.
    """
    total = 0
    for node in resources:
        fitting = int(node.get("CPU", 0) / size.num_cpus)
        if size.num_gpus > 0:
            per_gpu = int(1 / size.num_gpus + 1e-9)
            fitting = min(fitting, int(node.get("GPU", 0)) * per_gpu)
        total += fitting
    return total


def described(resources: Sequence[Mapping[str, float]]) -> str:
    """The nodes in words."""
    if not resources:
        return "no nodes"
    words = [f"{node.get('CPU', 0):g} processors and {node.get('GPU', 0):g} GPUs" for node in resources]
    return f"{len(words)} node(s) with " + "; ".join(words)


class RoomWatch:
    """Looks for room again and again, and gives up after a while without any.

    Args:
        wait_s: how long to wait for a node that can hold an actor.
    """

    def __init__(self, *, wait_s: float) -> None:
        self._wait_s = wait_s
        self._none_since: float | None = None

    def look(self, size: ActorSize) -> int:
        """Actors of this size that fit now.

        Raises:
            SpecError: no node has had so much of a GPU for ``wait_s``.
            ServiceError: no node has had a processor for so long.
        """
        resources, now = nodes(), time.monotonic()
        fitting = room(size, resources)
        if fitting:
            self._none_since = None
            return fitting
        self._none_since = now if self._none_since is None else self._none_since
        waited = now - self._none_since
        if waited < self._wait_s:
            return 0
        self._none_since = None
        kind = SpecError if room(ActorSize(), resources) else ServiceError
        raise kind(
            expected=f"a node that has {size} for a pack",
            found=f"{described(resources)}, after waiting for {waited:.0f} s",
            where="resources.gpus_per_pack" if kind is SpecError else "Ray cluster",
        )
