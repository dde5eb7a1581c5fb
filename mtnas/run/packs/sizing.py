"""How many candidates train together: as many as the device runs best, and no more than the memory holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtnas.data import EncodedData
from mtnas.errors import OutOfMemoryError
from mtnas.routes import InputShape, RouteGraph
from mtnas.spec import ResourcesSpec
from mtnas.tasks import Task
from mtnas.training.pack_memory import MIB, PackMemory, pack_memory
from mtnas.training.recipe import Recipe

CPU_ROWS = 4096  # of all candidates in a step: measured best at batches of 256, 1,024 and 4,096 (pack_throughput)
CPU_SIZES = 2, 16
GPU_SIZE = 64  # from 16 to 32 on, memory traffic is the limit


def streams(data: EncodedData, resources: ResourcesSpec) -> bool:
    """Whether inputs are read from the cache as batches need them: as the user says, else where they would fill half
    of a pack's memory."""
    if resources.data != "auto":
        return resources.data == "streamed"
    return 2 * data.num_bytes > resources.memory_mib * MIB


def data_bytes(data: EncodedData, *, streamed: bool) -> int:
    """What the rows take beside a pack: all of them, or labels and row numbers, of parts and of an epoch's order."""
    if not streamed:
        return data.num_bytes
    weights = 0 if data.weights is None else data.weights.nbytes
    return weights + data.labels.nbytes + 4 * sum(rows.nbytes for rows in data.parts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """The sizes of a job's packs.

    Attributes:
        resources: of the job; ``pack_size`` is what the user wants instead of what the device runs best.
        device: where packs run.
        inputs: shape of the data's features.
        tasks: of the job.
        recipe: of the job.
        evaluated_rows: rows of the largest part that is evaluated.
        data_bytes: what the data takes beside a pack.
    """

    resources: ResourcesSpec
    device: str
    inputs: InputShape
    tasks: Sequence[Task]
    recipe: Recipe
    evaluated_rows: int
    data_bytes: int

    def size(self, graph: RouteGraph) -> int:
        """Candidates of a pack of this shape.

        Raises:
            OutOfMemoryError: not even one fits.
        """
        memory = self.memory(graph)
        most = memory.most_candidates(self.resources.memory_mib * MIB - self.data_bytes)
        if most == 0:
            raise OutOfMemoryError(
                expected=f"a candidate that fits into {self.resources.memory_mib} MiB beside the data's "
                f"{-(-self.data_bytes // MIB)}",
                found=memory.text,
                where="resources.memory_mib",
            )
        return min(most, self.resources.pack_size or self.preferred)

    def memory(self, graph: RouteGraph) -> PackMemory:
        """What a candidate of this shape takes."""
        return pack_memory(graph, self.inputs, self.tasks, self.recipe, evaluated_rows=self.evaluated_rows)

    @property
    def preferred(self) -> int:
        """What the device runs best: on a CPU the cache rules and few rows at a time are best; a GPU wants many."""
        if self.device != "cpu":
            return GPU_SIZE
        rows = self.recipe.batch_size * (len(self.tasks) if self.recipe.own_rows else 1)
        least, most = CPU_SIZES
        return max(least, min(most, CPU_ROWS // rows))
