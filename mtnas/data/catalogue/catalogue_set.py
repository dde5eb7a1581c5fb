"""A public data set: what is known of it without reading it, and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from mtnas.data.access import DataAccess
from mtnas.data.columns.rows import Rows
from mtnas.data.data_spec import Feature, Part, Split
from mtnas.data.problem import Problem
from mtnas.data.schema_columns import Reading
from mtnas.errors import DataError
from mtnas.tasks import Task

OptionsT = TypeVar("OptionsT", bound=Part)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """Rows as a source gives them, what a generator planted in them, and what was noticed on the way.

    Attributes:
        table: the rows.
        truth: what a generator planted.
        reading: how the source writes values.
        index: columns that are the index of a data frame.
        skipped: columns that were not looked at.
        warnings: what its owner should look at.
    """

    table: Rows
    truth: Mapping[str, Any] | None = None
    reading: Reading = field(default_factory=Reading)
    index: frozenset[str] = frozenset()
    skipped: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSet(Generic[OptionsT]):
    """One public set. Where a field is a function of the options, the set looks different under different options.

    Attributes:
        name: what a job calls it.
        title: one line.
        description: what a row is, how it is split by default, what was decided about its columns.
        licence: as its publisher states it.
        citation: whom to cite.
        homepage: address, or ``None`` for generated data.
        num_rows: rows, roughly where options decide.
        options: what a job may set in ``source.options``.
        tasks: the tasks of its usual protocol.
        labels: every task it offers; none of their columns is ever an input.
        features: its inputs.
        columns: names of further columns that are no inputs by default but may be (or may split the rows).
        split: its usual split.
        identity: what the rows depend on, as JSON for the digest; may need the files, but does not parse them.
        read: the rows.
    """

    name: str
    title: str
    description: str
    licence: str
    citation: str
    homepage: str | None
    num_rows: int
    options: type[OptionsT]
    tasks: Callable[[OptionsT], tuple[Task, ...]]
    labels: Callable[[OptionsT], tuple[Task, ...]]
    features: Callable[[OptionsT], tuple[Feature, ...]]
    split: Callable[[OptionsT], Split]
    identity: Callable[[OptionsT, DataAccess], Any]
    read: Callable[[OptionsT, DataAccess], SourceTable]
    columns: tuple[str, ...] = field(default=())

    def check_options(self, options: Mapping[str, Any]) -> OptionsT:
        """The options as a value, defaults filled in.

        Raises:
            DataError: naming the first option that cannot be.
        """
        try:
            return self.options.model_validate(options)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(["data.source.options", *map(str, first["loc"])])
            expected = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            if first["type"] == "extra_forbidden":
                known = ", ".join(self.options.model_fields) or "none"
                expected = f"one of the options {known}"
            found = repr(first["input"])[:200]
            raise DataError(expected=expected, found=found, where=place) from error

    def column_names(self, options: OptionsT) -> tuple[str, ...]:
        """Every column that a job may name."""
        inputs = (feature.column for feature in self.features(options))
        labels = (task.label for task in self.labels(options))
        return tuple(dict.fromkeys((*inputs, *labels, *self.columns)))

    def describe(self) -> dict[str, Any]:
        """The set as JSON, for a listing, under its default options."""
        options = self.options()
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "licence": self.licence,
            "citation": self.citation,
            "homepage": self.homepage,
            "num_rows": self.num_rows,
            "options": self.options.model_json_schema(),
            "tasks": [
                {"name": task.name, "kind": task.kind.value, "label": task.label, "num_classes": task.num_classes}
                for task in self.labels(options)
            ],
            "default_tasks": [task.name for task in self.tasks(options)],
            "features": [feature.model_dump(mode="json") for feature in self.features(options)],
            "columns": list(self.column_names(options)),
            "split": self.split(options).model_dump(mode="json"),
        }
