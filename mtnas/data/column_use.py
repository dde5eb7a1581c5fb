"""How every column of the data was read, and why any was left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
    label_reasons, weight_reasons = _reasons(tasks, weight_column=spec.weight_column)
    split = None if spec.split is None or isinstance(spec.split, RatioSplit) else getattr(spec.split, "column", None)
    uses = []
    for name in table.column_names:
        stored = storage_of_type(table.schema.field(name).type).value
        if name in kinds:
            uses.append(ColumnUse(name=name, use="input", read_as=kinds[name], stored=stored))
        elif name in label_reasons:
            uses.append(ColumnUse(name=name, use="label", stored=stored, reason=label_reasons[name]))
        elif name == split:
            uses.append(ColumnUse(name=name, use="split", stored=stored, reason="divides the rows into parts"))
        elif name in weight_reasons:
            uses.append(ColumnUse(name=name, use="weight", stored=stored, reason=weight_reasons[name]))
        else:
            reason = left_out.get(name)
            if reason is None:
                reason = "excluded" if name in spec.exclude else "not among data.features"
                reason = "label of a task that was not asked for" if name in labels else reason
            uses.append(ColumnUse(name=name, use="left_out", stored=stored, reason=reason))
    return (*uses, *(ColumnUse(name=name, use="left_out", reason="excluded, not looked at") for name in skipped))


def named_for(
    columns: Sequence[ColumnUse], tasks: Sequence[Task], *, weight_column: str | None
) -> tuple[ColumnUse, ...]:
    """The uses as these tasks are called: encoded data is shared by jobs whose tasks differ in nothing but names.

    Args:
        columns: the uses as another job with the same labels and weights may have named them.
        tasks: the tasks of this job.
        weight_column: what weighs the rows of all tasks.
    """
    label_reasons, weight_reasons = _reasons(tasks, weight_column=weight_column)
    reasons = {"label": label_reasons, "weight": weight_reasons}
    return tuple(
        replace(column, reason=reasons[column.use][column.name]) if column.use in reasons else column
        for column in columns
    )


def _reasons(tasks: Sequence[Task], *, weight_column: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """By column, why it is a label and why it is a weight."""
    labels = {task.label: f"label of task {task.name!r}" for task in reversed(tasks)}
    own = [task for task in tasks if task.weight_column is not None]
    weights = {str(task.weight_column): f"weighs rows for task {task.name!r}" for task in own}
    return labels, weights | ({} if weight_column is None else {weight_column: "weighs rows for all tasks"})


def _kinds(schema: DataSchema) -> dict[str, str]:
    groups = (
        ("categorical", schema.categorical),
        ("numeric", schema.numeric),
        ("dense_vector", schema.dense),
        ("multi_valued", schema.bags),
        ("image", schema.images),
    )
    return {column.name: kind for kind, columns in groups for column in columns}
