"""Encoding new rows as a trained network is used to: what the old encoding asks of the request."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mtnas.data.data_spec import DataSpec
from mtnas.data.profiles.request_checks import never_inputs
from mtnas.data.schema import DataSchema
from mtnas.data.schema_columns import LabelColumn
from mtnas.errors import DataError
from mtnas.tasks import Task


def check_encoding(spec: DataSpec, tasks: Sequence[Task], encoding: DataSchema, *, labels: Collection[str]) -> None:
    """Refuse inputs other than those the network was trained on, and labels that are among them.

    Raises:
        DataError: which columns they are.
    """
    kept = encoding.columns
    given_away = sorted(never_inputs(spec, tasks, labels=labels) & set(kept))
    if given_away:
        raise DataError(
            expected="labels, the split's column and excluded columns that are no inputs of the trained system",
            found=f"inputs {given_away}",
            where="data.features",
        )
    if not isinstance(spec.features, str) and {feature.column for feature in spec.features} != set(kept):
        found = str(sorted(feature.column for feature in spec.features))
        raise DataError(expected=f"the trained system's inputs {sorted(kept)}", found=found, where="data.features")


def check_classes(found: Sequence[LabelColumn], known: Sequence[LabelColumn]) -> None:
    """Refuse labels of the old tasks that no longer mean what they did.

    Args:
        found: the labels of all tasks, the old ones first.
        known: the old ones as they were.

    Raises:
        DataError: another column, kind or classes.
    """
    for now, before in zip(found, known, strict=False):
        renamed = bool(before.classes) and now.classes != before.classes
        if (now.name, now.kind, now.positive) != (before.name, before.kind, before.positive) or renamed:
            raise DataError(
                expected=f"{before.kind} label {before.name!r} with classes {list(before.classes)}, as it was trained",
                found=f"{now.kind} label {now.name!r} with classes {list(now.classes)}",
                where="tasks",
            )
