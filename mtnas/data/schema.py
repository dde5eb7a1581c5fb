"""DataSchema: all that is needed to encode a row, as a value that goes to JSON and back.

An export carries this JSON as its preprocessing; ``mtnas.data.encode_rows`` is the reference for what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Protocol

from mtnas.data.schema_columns import (
    BagColumn,
    CategoricalColumn,
    DenseColumn,
    ImageColumn,
    LabelColumn,
    NumberVectors,
    NumericColumn,
    Reading,
)
from mtnas.errors import DataError
from mtnas.routes.inputs import InputShape
from mtnas.routes.number_maps import NumberMaps
from mtnas.tasks import Task, TaskKind
from mtnas.units import OWN_UNIT, Transform, Unit

FORMAT = 1


class _Named(Protocol):
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSchema:
    """How rows become arrays, fitted on the training rows; the order of columns is the order in the arrays."""

    categorical: tuple[CategoricalColumn, ...] = ()
    numeric: tuple[NumericColumn, ...] = ()
    dense: tuple[DenseColumn, ...] = ()
    bags: tuple[BagColumn, ...] = ()
    images: tuple[ImageColumn, ...] = ()
    labels: tuple[LabelColumn, ...] = ()
    vectors: NumberVectors | None = None
    reading: Reading = field(default_factory=Reading)

    def label_of(self, task: Task) -> int:
        """Which of the labels the task is trained on.

        Raises:
            DataError: none of them.
        """
        for index, label in enumerate(self.labels):
            if label.is_of(task):
                return index
        known = ", ".join(repr(label.name) for label in self.labels)
        raise DataError(expected=f"a label among {known}", found=repr(task.label), where=f"task {task.name!r}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the input columns."""
        groups: tuple[tuple[_Named, ...], ...] = (
            self.categorical,
            self.numeric,
            self.dense,
            self.bags,
            self.images,
        )
        return tuple(column.name for group in groups for column in group)

    @property
    def binned(self) -> tuple[NumericColumn, ...]:
        """Numeric columns that are categorical inputs as well; those follow the categorical columns' inputs."""
        return tuple(column for column in self.numeric if column.edges)

    @property
    def with_knots(self) -> tuple[NumericColumn, ...]:
        """Numeric columns with a further number, their place between knots; those follow the dense vectors."""
        return tuple(column for column in self.numeric if column.knots)

    @property
    def inputs(self) -> InputShape:
        """The shape of the encoded inputs; pixels are numbers that follow the places between knots."""
        return replace(self.inputs_without_images, num_numeric=self.inputs_without_images.num_numeric + self.num_pixels)

    @property
    def num_pixels(self) -> int:
        """Numbers of all images of a row."""
        return sum(column.size for column in self.images)

    @property
    def inputs_without_images(self) -> InputShape:
        """The shape of the encoded inputs but for images."""
        return InputShape(
            vocabularies=(
                *(len(column.values) + 1 for column in self.categorical),
                *(len(column.edges) + 2 for column in self.binned),
            ),
            embedding_widths=(
                *(column.embedding_width for column in self.categorical),
                *(column.embedding_width for column in self.binned),
            ),
            one_hot=tuple(place for place, column in enumerate(self.categorical) if column.one_hot),
            num_numeric=self.num_without_places + len(self.with_knots),
            numbers=self._number_maps(),
            bag_vocabularies=tuple(len(column.values) + 1 for column in self.bags),
            bag_widths=tuple(column.embedding_width for column in self.bags),
        )

    @property
    def num_without_places(self) -> int:
        """Numbers, missing indicators and entries of dense vectors."""
        indicators = sum(column.indicator for column in self.numeric)
        return len(self.numeric) + indicators + sum(len(column.mean) for column in self.dense)

    def _number_maps(self) -> NumberMaps | None:
        if self.vectors is None:
            return None
        mapped = [place for place, column in enumerate(self.numeric) if column.mapped]
        segments = [len(column.knots) - 1 for column in self.with_knots]
        return self.vectors.maps(mapped, segments, first_place=self.num_without_places)

    def to_json(self) -> dict[str, Any]:
        """As JSON; ``from_json`` reads it."""
        columns = {
            "categorical": self.categorical,
            "numeric": self.numeric,
            "dense": self.dense,
            "bags": self.bags,
            "images": self.images,
        }
        others = {
            "labels": tuple(asdict(label) for label in self.labels),
            "vectors": None if self.vectors is None else asdict(self.vectors),
            "reading": asdict(self.reading),
        }
        # Not ``asdict``, which copies vocabularies of a million values one by one.
        written = {name: tuple(map(_fields_of, found)) for name, found in columns.items()}
        return {"format": FORMAT, **written, **others}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> DataSchema:
        """What ``to_json`` wrote.

        Raises:
            DataError: another format.
        """
        if document.get("format") != FORMAT:
            raise DataError(expected=f"format {FORMAT}", found=str(document.get("format")), where="data schema")
        return cls(
            categorical=tuple(
                CategoricalColumn(**{**item, "values": tuple(item["values"])}) for item in document["categorical"]
            ),
            numeric=tuple(_numeric(item) for item in document["numeric"]),
            dense=tuple(
                DenseColumn(
                    name=item["name"],
                    separator=item["separator"],
                    mean=tuple(item["mean"]),
                    scale=tuple(item["scale"]),
                )
                for item in document["dense"]
            ),
            bags=tuple(
                BagColumn(
                    name=item["name"],
                    separator=item["separator"],
                    values=tuple(item["values"]),
                    embedding_width=item["embedding_width"],
                )
                for item in document["bags"]
            ),
            images=tuple(
                ImageColumn(name=item["name"], shape=(item["shape"][0], item["shape"][1], item["shape"][2]))
                for item in document.get("images", ())
            ),
            reading=Reading.from_json(document["reading"]) if "reading" in document else Reading(),
            labels=tuple(
                LabelColumn(
                    name=item["name"],
                    kind=TaskKind(item["kind"]),
                    classes=tuple(item["classes"]),
                    positive=item.get("positive"),
                    weight_column=item.get("weight_column"),
                    mean=item["mean"],
                    scale=item["scale"],
                    unit=_unit(item.get("unit")),
                    rates=tuple(item.get("rates", ())),
                    soft=item.get("soft", False),
                )
                for item in document["labels"]
            ),
            vectors=NumberVectors(**document["vectors"]) if document.get("vectors") else None,
        )


def _fields_of(column: Any) -> dict[str, Any]:
    return {each.name: getattr(column, each.name) for each in fields(column)}


def _numeric(item: Mapping[str, Any]) -> NumericColumn:
    lists = {name: tuple(item.get(name, ())) for name in ("edges", "curve", "levels", "knots")}
    return NumericColumn(**{**item, **lists})


def _unit(document: Mapping[str, Any] | None) -> Unit:
    """A label's unit; documents of earlier versions have none, and labels in their own."""
    if document is None:
        return OWN_UNIT
    return Unit(transform=Transform(document["transform"]), mean=document["mean"], scale=document["scale"])
