"""The Ray actor that runs packs: one process, one thread, as many packs one after another as it is given."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import replace

import ray
import torch

from mtnas.data import EncodedData
from mtnas.data.encoding.cache import CachedData
from mtnas.errors import DataError, TrainingError
from mtnas.run.packs.execute import execute
from mtnas.run.packs.pack_events import PackEvent, PackFailed
from mtnas.run.packs.pack_task import PackTask


class PackActor:
    """Never sees the database: packs come in, events go out."""

    def __init__(self) -> None:
        # Two intra-op threads on shared cores collapse when anything else runs; several actors do not.
        torch.set_num_threads(1)

    def ready(self) -> None:
        """Answer once the actor has started."""

    def run(self, task: PackTask, data: EncodedData | CachedData) -> Iterator[PackEvent]:
        """Events of one pack, streamed as they happen."""
        yield from events(task, data)


def travelling(tasks: Sequence[PackTask], data: EncodedData) -> EncodedData | CachedData:
    """What goes to actors: the arrays, or where to read them if the packs want them streamed."""
    if data.cache is None or not any(task.streamed for task in tasks):
        return data
    return CachedData(cache=data.cache.resolve(), digest=data.digest)


def events(task: PackTask, data: EncodedData | CachedData) -> Iterator[PackEvent]:
    """Events of a pack run in this process of a Ray cluster, on the device that Ray has given it."""
    context = ray.get_runtime_context()
    node = f"{platform.node()}/{context.get_node_id()[:8]}"
    try:
        device = own_device(task.device, ray.get_gpu_ids(), os.environ.get("CUDA_VISIBLE_DEVICES"), node=node)
        found = data.open() if isinstance(data, CachedData) else data
    except (TrainingError, DataError) as error:
        yield PackFailed(key=task.key, place=None, error=error)
        return
    yield from execute(replace(task, device=device), found, actor=str(context.get_actor_id()), node=node)


def own_device(asked: str, assigned: Sequence[object], visible: str | None, *, node: str) -> str:
    """The device of this process: Ray assigns GPUs by their names on the node, torch counts those it is let see.

    Args:
        asked: ``cpu`` or ``cuda``.
        assigned: the GPUs that Ray has assigned.
        visible: what ``CUDA_VISIBLE_DEVICES`` says, ``None`` if it is not set.
        node: where this is, for the message.

    Raises:
        TrainingError: a GPU was asked for and torch sees none.
    """
    if not asked.startswith("cuda"):
        return asked
    if not torch.cuda.is_available():
        raise TrainingError(
            expected="a GPU that torch can use",
            found=f"none with CUDA_VISIBLE_DEVICES={visible!r}",
            where=f"node {node}",
        )
    names = visible.split(",") if visible else []
    return f"cuda:{names.index(str(assigned[0]))}" if assigned and str(assigned[0]) in names else "cuda:0"
