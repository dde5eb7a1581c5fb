"""How much memory a pack takes, in closed form: what decides how many candidates train together.

Legend: K pack, P parameters of one candidate, T tasks, B rows of a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtnas.routes import InputShape, RouteGraph
from mtnas.routes.costs.footprint import footprint
from mtnas.tasks import Task
from mtnas.training.measuring.evaluate import rows_at_once
from mtnas.training.measuring.metrics import ELEMENTS_AT_ONCE
from mtnas.training.recipe import Recipe
from mtnas.training_options import needs_task_gradients

MIB = 2**20
KEPT = 5  # weights, gradients, both moments, best weights; the moving average comes on top
KEPT_OF_TABLE = 4  # large tables have no gradients: those of the rows that a batch reads are among the parameters
BAG_LENGTH = 16  # values of the longest bag, as far as places for rows of large tables go: data may say otherwise
METRIC_BYTES = 80  # per logit: sorting, ranks and counts in 64 bits
# Numbers per row and per output of a node that are alive when a step needs most; measured at widths 64 and 256, one to
# three layers, four and eight sub-networks, within a fifth (benchmarks of memory: tests/training/test_pack_memory.py).
PER_SLOT, PER_JUNCTION, PER_TOWER, PER_INPUT = 5, 2, 3, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PackMemory:
    """Bytes of a pack's candidate, and of what all share.

    Attributes:
        parameters: weights, gradients, moments, best weights.
        step: what a training step needs beside them: activations, gradients on their way, one per task where a
            balancer weighs those.
        evaluation: what a look needs beside them.
        state: copies for a checkpoint.
    """

    parameters: int
    step: int
    evaluation: int
    state: int

    @property
    def per_candidate(self) -> int:
        """Bytes that every further candidate takes at the worst moment."""
        return self.parameters + max(self.step, self.evaluation, self.state)

    def most_candidates(self, budget_bytes: int) -> int:
        """How many fit into so many bytes; 0 if not even one does."""
        return max(0, budget_bytes) // self.per_candidate

    @property
    def text(self) -> str:
        """For a reader who wonders why it does not fit."""
        parts = ", ".join(
            f"{name} {-(-size // MIB)}"
            for name, size in (
                ("parameters with gradients, moments and best copy", self.parameters),
                ("a step", self.step),
                ("a look", self.evaluation),
                ("a checkpoint", self.state),
            )
        )
        return f"{-(-self.per_candidate // MIB)} MiB for one candidate ({parts}; of the last three the largest counts)"


def pack_memory(
    graph: RouteGraph, inputs: InputShape, tasks: Sequence[Task], recipe: Recipe, *, evaluated_rows: int
) -> PackMemory:
    """The memory of a pack of this shape graph.

    Args:
        graph: of the pack.
        inputs: shape of the data's features.
        tasks: in the order of the graph's towers.
        recipe: how it is trained.
        evaluated_rows: rows of the largest part that is evaluated.
    """
    size = 8 if recipe.precision == "float64" else 4
    found = footprint(graph, inputs, own_rows=recipe.own_rows)
    num_tasks = len(tasks)
    towers = found.towers * (2 if recipe.auxiliary is not None else 1)
    whole = sum(table.num_params for table in inputs.large_tables) * len(graph.encoders)
    num_params = found.num_params - whole + (num_tasks * inputs.width**2 if recipe.alignment is not None else 0)
    copies = num_tasks if recipe.alignment is not None else 1  # rows are there once for every task
    rows = recipe.batch_size * (num_tasks if recipe.own_rows else 1)
    lengths = [BAG_LENGTH] * len(inputs.bag_vocabularies)
    read = [table.most_read(rows, lengths) * table.width for table in inputs.large_tables]
    num_params += sum(read) * len(graph.encoders)
    batch = rows * copies
    step = batch * (
        PER_SLOT * found.slots
        + PER_JUNCTION * found.junctions
        + PER_TOWER * towers
        + PER_INPUT * (found.inputs + found.reads)
    )
    gradients = num_params
    if needs_task_gradients(recipe.balancer):
        gradients = 3 * num_tasks * num_params  # as they come, stacked, and on the shared part alone
    outputs = sum(task.num_outputs for task in tasks) * evaluated_rows
    largest = max(task.num_outputs for task in tasks) * evaluated_rows
    per_row = copies * found.evaluated
    look = min(rows_at_once(per_row), evaluated_rows) * per_row + 2 * outputs
    kept = KEPT + (recipe.average is not None)
    return PackMemory(
        parameters=(kept * num_params + KEPT_OF_TABLE * whole) * size,
        step=(step + gradients) * size,
        evaluation=(look + 2 * num_params + whole) * size + min(largest, ELEMENTS_AT_ONCE) * METRIC_BYTES,
        state=2 * ((kept - 1) * num_params + KEPT_OF_TABLE * whole) * size,
    )
