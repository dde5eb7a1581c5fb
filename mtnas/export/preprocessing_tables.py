"""The preprocessing tables of an export: the schema of the inputs as two JSON documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mtnas.data.schema import DataSchema
from mtnas.export.manifest import ExportedColumn


def preprocessing_json(schema: DataSchema, *, bag_arguments: Sequence[str]) -> dict[str, Any]:
    """What ``preprocessing.json`` holds; ``bag_arguments`` name the network's argument of each bag."""
    return {
        "reading": asdict(schema.reading),
        "categorical": [{"name": column.name} for column in schema.categorical],
        "numeric": [
            {
                "name": column.name,
                "mean": column.mean,
                "scale": column.scale,
                "indicator": column.indicator,
                "edges": column.edges,
                "smooth": column.smooth,
                "curve": column.curve,
                "levels": column.levels,
                "knots": column.knots,
            }
            for column in schema.numeric
        ],
        "dense": [
            {"name": column.name, "separator": column.separator, "mean": column.mean, "scale": column.scale}
            for column in schema.dense
        ],
        "bags": [
            {"name": column.name, "separator": column.separator, "argument": argument}
            for column, argument in zip(schema.bags, bag_arguments, strict=True)
        ],
        "images": [{"name": column.name, "shape": column.shape} for column in schema.images],
    }


def vocabularies_json(schema: DataSchema) -> dict[str, Any]:
    """What ``vocabularies.json`` holds: the value of each embedding row from 1 on."""
    return {
        kind: [{"name": column.name, "values": column.values} for column in columns]
        for kind, columns in (("categorical", schema.categorical), ("bags", schema.bags))
    }


def columns_of(schema: DataSchema) -> tuple[ExportedColumn, ...]:
    """The input columns with their kinds."""
    return (
        *(ExportedColumn(name=column.name, kind="categorical") for column in schema.categorical),
        *(ExportedColumn(name=column.name, kind="numeric") for column in schema.numeric),
        *(ExportedColumn(name=column.name, kind="dense_vector") for column in schema.dense),
        *(ExportedColumn(name=column.name, kind="multi_valued") for column in schema.bags),
        *(ExportedColumn(name=column.name, kind="image") for column in schema.images),
    )
