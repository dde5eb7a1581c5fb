"""The Ray actor that runs packs: one process, one thread, as many packs one after another as it is given."""

from __future__ import annotations

from collections.abc import Iterator

import ray
import torch

from mtnas.data import EncodedData
from mtnas.run.packs import PackEvent, PackTask, execute


class PackActor:
    """Never sees the database: packs come in, events go out."""

    def __init__(self) -> None:
        # Two intra-op threads on shared cores collapse when anything else runs; several actors do not.
        torch.set_num_threads(1)
        self._id = str(ray.get_runtime_context().get_actor_id())

    def run(self, task: PackTask, data: EncodedData) -> Iterator[PackEvent]:
        """Events of one pack, streamed as they happen."""
        yield from execute(task, data, actor=self._id)
