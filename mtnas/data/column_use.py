"""How every column of the data was read, and why any was left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mtnas.data.columns.rows import Rows
from mtnas.data.columns.storage import storage_of_type
from mtnas.data.data_spec import DataSpec, RatioSplit
from mtnas.data.schema import DataSchema
from mtnas.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnUse:
    """One column.

    Attributes:
        name: its name.
        use: what the job does with it.
        read_as: the kind of an input (``numeric``, ``categorical``, ...); empty for others.
        stored: what its values are in the file; empty if nobody looked.
        reason: why it is no input.
    """

    name: str
    use: Literal["input", "label", "split", "weight", "left_out"]
    read_as: str = ""
    stored: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON; ``from_json`` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ColumnUse:
        """What ``to_json`` wrote."""
        return cls(**document)


def columns_used(
    spec: DataSpec,
    tasks: Sequence[Task],
    schema: DataSchema,
    table: Rows,
    *,
    skipped: Sequence[str],
    left_out: Mapping[str, str],
    labels: Collection[str] = (),
) -> tuple[ColumnUse, ...]:
    """The use of every column, in the order of the table; those that nobody looked at come last.

    Args:
        spec: the request's data, with its split.
        tasks: the request's tasks.
        schema: the inputs.
        table: the rows as they were read.
        skipped: columns that were not read.
        left_out: why inference left a column out.
        labels: columns that are labels of other tasks of a catalogue set.
    """
    kinds = _kinds(schema)
    of_task = {task.label: task.name for task in reversed(tasks)}
    split = None if spec.split is None or isinstance(spec.split, RatioSplit) else getattr(spec.split, "column", None)
    weights = {task.weight_column: f"task {task.name!r}" for task in tasks if task.weight_column is not None}
    weights |= {} if spec.weight_column is None else {spec.weight_column: "all tasks"}
    uses = []
    for name in table.column_names:
        stored = storage_of_type(table.schema.field(name).type).value
        if name in kinds:
            uses.append(ColumnUse(name=name, use="input", read_as=kinds[name], stored=stored))
        elif name in of_task:
            uses.append(ColumnUse(name=name, use="label", stored=stored, reason=f"label of task {of_task[name]!r}"))
        elif name == split:
            uses.append(ColumnUse(name=name, use="split", stored=stored, reason="divides the rows into parts"))
        elif name in weights:
            uses.append(ColumnUse(name=name, use="weight", stored=stored, reason=f"weighs rows for {weights[name]}"))
        else:
            reason = left_out.get(name)
            if reason is None:
                reason = "excluded" if name in spec.exclude else "not among data.features"
                reason = "label of a task that was not asked for" if name in labels else reason
            uses.append(ColumnUse(name=name, use="left_out", stored=stored, reason=reason))
    return (*uses, *(ColumnUse(name=name, use="left_out", reason="excluded, not looked at") for name in skipped))


def _kinds(schema: DataSchema) -> dict[str, str]:
    groups = (
        ("categorical", schema.categorical),
        ("numeric", schema.numeric),
        ("dense_vector", schema.dense),
        ("multi_valued", schema.bags),
        ("image", schema.images),
    )
    return {column.name: kind for kind, columns in groups for column in columns}
