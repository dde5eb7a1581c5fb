"""Fitting a schema: vocabularies, means and deviations, from the training rows only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mtnas.data.columns.column import codes_of, column_of, finite_numbers_of
from mtnas.data.columns.image_columns import image_shape
from mtnas.data.columns.lists import dense_of, tokens_of
from mtnas.data.columns.rows import Rows
from mtnas.data.columns.storage import value_kind_of_type
from mtnas.data.data_spec import Feature
from mtnas.data.encoding.knots import fit_knots
from mtnas.data.encoding.preparing import fit_preparation, moments
from mtnas.data.encoding_spec import (
    CategoricalSpec,
    NumericSpec,
    PeriodicNumbers,
    PiecewiseNumbers,
    RangedNumbers,
    number_vectors,
)
from mtnas.data.schema import DataSchema
from mtnas.data.schema_columns import (
    BagColumn,
    CategoricalColumn,
    DenseColumn,
    ImageColumn,
    LabelColumn,
    NumericColumn,
    Reading,
)
from mtnas.errors import DataError

_LEAST_COVERAGE = 0.5
_DEFAULT_NUMERIC, _DEFAULT_CATEGORICAL = PiecewiseNumbers(), CategoricalSpec()


def fit_schema(
    table: Rows,
    features: Sequence[Feature],
    train: NDArray[np.int64],
    *,
    numeric: NumericSpec = _DEFAULT_NUMERIC,
    categorical: CategoricalSpec = _DEFAULT_CATEGORICAL,
    labels: Sequence[LabelColumn] = (),
    reading: Reading | None = None,
) -> DataSchema:
    """How to encode the features, learnt from the rows ``train`` alone.

    The result does not depend on the order of the rows: vocabularies are sorted by frequency, then by text.

    Args:
        table: all rows.
        features: the input columns.
        train: row numbers.
        numeric: how numbers become inputs.
        categorical: how categories do.
        labels: the label columns to note in the schema.
        reading: how the source writes values; the columns' kinds are added.

    Raises:
        DataError: a column is missing, has no value in the training rows, a value that is no number, an infinity,
            or so many values that ``max_vocabulary`` of them cover less than half of the rows; a numeric feature asks
            for a width of its own where all numbers have one.
    """
    fitted: list[CategoricalColumn | NumericColumn | DenseColumn | BagColumn | ImageColumn] = []
    for feature in features:
        match feature.kind:
            case "categorical":
                fitted.append(_fit_categorical(feature, table, train, categorical))
            case "numeric":
                fitted.append(_fit_numeric(feature, table, train, numeric))
            case "dense_vector" | "sequence":
                fitted.append(_fit_dense(feature, table, train))
            case "multi_valued":
                fitted.append(_fit_bag(feature, table, train, categorical))
            case "image":
                column = column_of(table, feature.column)
                fitted.append(ImageColumn(name=feature.column, shape=image_shape(column, name=feature.column)))
    return DataSchema(
        categorical=tuple(column for column in fitted if isinstance(column, CategoricalColumn)),
        numeric=tuple(column for column in fitted if isinstance(column, NumericColumn)),
        dense=tuple(column for column in fitted if isinstance(column, DenseColumn)),
        bags=tuple(column for column in fitted if isinstance(column, BagColumn)),
        images=tuple(column for column in fitted if isinstance(column, ImageColumn)),
        labels=tuple(labels),
        vectors=number_vectors(numeric),
        reading=replace(
            reading or Reading(),
            kinds={
                feature.column: value_kind_of_type(table.schema.field(feature.column).type)
                for feature in features
                if feature.kind in ("categorical", "multi_valued")
            },
        ),
    )


def _fit_categorical(
    feature: Feature, table: Rows, train: NDArray[np.int64], spec: CategoricalSpec
) -> CategoricalColumn:
    codes = codes_of(column_of(table, feature.column), name=feature.column)
    values = _vocabulary(feature, codes.texts, codes.indices[train])
    one_hot = feature.embedding_width is None and len(values) <= spec.one_hot
    width = len(values) if one_hot else feature.embedding_width or spec.width_for(len(values))
    return CategoricalColumn(name=feature.column, values=values, embedding_width=width, one_hot=one_hot)


def _fit_numeric(feature: Feature, table: Rows, train: NDArray[np.int64], spec: NumericSpec) -> NumericColumn:
    values = finite_numbers_of(column_of(table, feature.column), name=feature.column)[train]
    present = values[~np.isnan(values)]
    if not present.size:
        raise _nothing_in(feature)
    vectors = isinstance(spec, PiecewiseNumbers | PeriodicNumbers)
    if vectors and feature.embedding_width is not None:
        raise DataError(
            expected=f"one width for all numbers under {spec.kind!r}, that of data.numeric",
            found=f"an embedding_width of {feature.embedding_width}",
            where=f"column {feature.column!r}",
        )
    found = fit_preparation(present, prepare=spec.prepare)
    edges, knots = tuple[float, ...](), tuple[float, ...]()
    if isinstance(spec, RangedNumbers):
        edges = _edges(present, bins=spec.bins if feature.bins is None else feature.bins)
    if isinstance(spec, PiecewiseNumbers) and feature.bins != 0:
        knots = fit_knots(present, bins=max(2, feature.bins or spec.bins))
    return NumericColumn(
        name=feature.column,
        mean=found.mean,
        scale=found.scale,
        indicator=bool(present.size < values.size),
        edges=edges,
        embedding_width=feature.embedding_width or (spec.width if isinstance(spec, RangedNumbers) else 1),
        smooth=spec.prepare == "robust",
        curve=found.curve,
        levels=found.levels,
        knots=knots,
        mapped=bool(knots) or (isinstance(spec, PeriodicNumbers) and feature.bins != 0),
    )


def _edges(values: NDArray[np.float64], *, bins: int) -> tuple[float, ...]:
    """Lower edges of all ranges but the first: one range a value where they are few, else ranges of equal frequency.

    The most frequent value is left out of the frequencies and is an edge itself: where most rows hold zero, the
    others still spread over all ranges.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if bins < 2 or distinct.size < 2:
        return ()
    if distinct.size <= bins:
        return tuple(distinct[1:].tolist())
    mode = distinct[counts.argmax()]
    others = np.quantile(values[values != mode], np.linspace(0, 1, bins - 1), method="lower")
    return tuple(np.unique([*others, mode]).tolist()[1:])


def _fit_dense(feature: Feature, table: Rows, train: NDArray[np.int64]) -> DenseColumn:
    column = column_of(table, feature.column)
    vectors = dense_of(column, name=feature.column, separator=feature.separator)[train]
    present = vectors[~np.isnan(vectors).any(axis=1)]
    if not present.size:
        raise _nothing_in(feature)
    if feature.kind == "sequence":
        of_entries = [moments(present.ravel())] * present.shape[1]
    else:
        of_entries = [moments(entries) for entries in present.T]
    return DenseColumn(
        name=feature.column,
        separator=feature.separator,
        mean=tuple(mean for mean, _ in of_entries),
        scale=tuple(scale for _, scale in of_entries),
    )


def _fit_bag(feature: Feature, table: Rows, train: NDArray[np.int64], spec: CategoricalSpec) -> BagColumn:
    tokens = tokens_of(column_of(table, feature.column), name=feature.column, separator=feature.separator)
    in_train = np.zeros(table.num_rows, bool)
    in_train[train] = True
    kept = np.repeat(in_train, np.diff(tokens.offsets))
    values = _vocabulary(feature, tokens.codes.texts, tokens.codes.indices[kept])
    width = feature.embedding_width or spec.width_for(len(values))
    return BagColumn(name=feature.column, separator=feature.separator, values=values, embedding_width=width)


def _vocabulary(feature: Feature, texts: Sequence[str], codes: NDArray[np.int32]) -> tuple[str, ...]:
    """The most frequent values, at most ``max_vocabulary``, by falling frequency, then by text."""
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    if not counts.any():
        raise _nothing_in(feature)
    occurring = [int(code) for code in np.flatnonzero(counts)]
    table = pa.table({"count": counts[occurring], "text": pa.array([texts[code] for code in occurring], pa.string())})
    order = pc.sort_indices(table, sort_keys=[("count", "descending"), ("text", "ascending")])
    ordered = [occurring[place] for place in order.to_numpy()]
    kept = ordered[: feature.max_vocabulary]
    coverage = counts[kept].sum() / counts.sum()
    if coverage < _LEAST_COVERAGE:
        raise DataError(
            expected=f"a column of which {feature.max_vocabulary} values (max_vocabulary) cover half of the rows",
            found=f"{len(ordered)} values, the most frequent {len(kept)} of which cover {coverage:.1%}",
            where=f"column {feature.column!r}",
        )
    return tuple(texts[code] for code in kept)


def _nothing_in(feature: Feature) -> DataError:
    return DataError(
        expected="some value in the training rows", found="all missing", where=f"column {feature.column!r}"
    )
