"""New rows under an old encoding: other inputs, labels among the inputs and other classes are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mtnas.data.data_spec import DataSpec
from mtnas.data.encoding.kept_encoding import check_classes, check_encoding
from mtnas.data.schema import DataSchema
from mtnas.data.schema_columns import LabelColumn, NumericColumn
from mtnas.errors import DataError
from mtnas.tasks import Task, TaskKind

KEPT = DataSchema(numeric=tuple(NumericColumn(name=name, mean=0.0, scale=1.0, indicator=False) for name in "xy"))
LABEL = LabelColumn(name="kind", kind=TaskKind.MULTICLASS, classes=("a", "b", "c"))


def _check(label: str = "bought", **changes: Any) -> None:
    spec = DataSpec.model_validate({"source": {"kind": "file", "paths": ["rows.csv"]}, **changes})
    check_encoding(spec, [Task(name="new", kind=TaskKind.BINARY, label=label)], KEPT, labels=())


def test_the_old_inputs_are_accepted_inferred_or_named() -> None:
    _check()
    _check(features=[{"column": name, "kind": "numeric"} for name in "yx"])


@pytest.mark.parametrize(
    ("label", "changes", "reason"),
    [
        ("x", {}, r"inputs \['x'\]"),
        ("bought", {"exclude": ["y"]}, r"inputs \['y'\]"),
        ("bought", {"split": {"kind": "time", "column": "x", "valid": 0.1, "test": 0.1}}, r"inputs \['x'\]"),
        ("bought", {"features": [{"column": "x", "kind": "numeric"}]}, "the trained system's inputs"),
    ],
)
def test_other_inputs_are_refused(label: str, changes: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        _check(label, **changes)


def test_old_labels_keep_their_classes_and_new_ones_may_be_anything() -> None:
    new = LabelColumn(name="new", kind=TaskKind.BINARY)
    check_classes([LABEL, new], [LABEL])
    other = LabelColumn(name="kind", kind=TaskKind.MULTICLASS, classes=("a", "c", "b"))
    with pytest.raises(DataError, match="as it was trained"):
        check_classes([other, new], [LABEL])
