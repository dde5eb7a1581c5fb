"""Fitting a schema: vocabularies, means and deviations, from the training rows only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtnas.data.columns.column import codes_of, column_of, finite_numbers_of
from mtnas.data.columns.image_columns import image_shape
from mtnas.data.columns.lists import dense_of, tokens_of
from mtnas.data.data_spec import Feature
from mtnas.data.schema import (
    BagColumn,
    CategoricalColumn,
    DataSchema,
    DenseColumn,
    ImageColumn,
    LabelColumn,
    NumericColumn,
)
from mtnas.errors import DataError

_LEAST_COVERAGE = 0.5


def fit_schema(
    table: pa.Table, features: Sequence[Feature], train: NDArray[np.int64], *, labels: Sequence[LabelColumn] = ()
) -> DataSchema:
    """How to encode the features, learnt from the rows ``train`` alone.

    The result does not depend on the order of the rows: vocabularies are sorted by frequency, then by text.

    Args:
        table: all rows.
        features: the input columns.
        train: row numbers.
        labels: the label columns to note in the schema.

    Raises:
        DataError: a column is missing, has no value in the training rows, a value that is no number, an infinity,
            or so many values that ``max_vocabulary`` of them cover less than half of the rows.
    """
    fitted: list[CategoricalColumn | NumericColumn | DenseColumn | BagColumn | ImageColumn] = []
    for feature in features:
        match feature.kind:
            case "categorical":
                fitted.append(_fit_categorical(feature, table, train))
            case "numeric":
                fitted.append(_fit_numeric(feature, table, train))
            case "dense_vector" | "sequence":
                fitted.append(_fit_dense(feature, table, train))
            case "multi_valued":
                fitted.append(_fit_bag(feature, table, train))
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
    )


def _fit_categorical(feature: Feature, table: pa.Table, train: NDArray[np.int64]) -> CategoricalColumn:
    codes = codes_of(column_of(table, feature.column), name=feature.column)
    values = _vocabulary(feature, codes.texts, codes.indices[train])
    return CategoricalColumn(name=feature.column, values=values, embedding_width=feature.embedding_width)


def _fit_numeric(feature: Feature, table: pa.Table, train: NDArray[np.int64]) -> NumericColumn:
    values = finite_numbers_of(column_of(table, feature.column), name=feature.column)[train]
    present = values[~np.isnan(values)]
    if not present.size:
        raise _nothing_in(feature)
    mean, scale = _moments(present)
    return NumericColumn(
        name=feature.column,
        mean=mean,
        scale=scale,
        indicator=bool(present.size < values.size),
        edges=_edges(present, bins=feature.bins),
        embedding_width=feature.embedding_width,
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


def _fit_dense(feature: Feature, table: pa.Table, train: NDArray[np.int64]) -> DenseColumn:
    column = column_of(table, feature.column)
    vectors = dense_of(column, name=feature.column, separator=feature.separator)[train]
    present = vectors[~np.isnan(vectors).any(axis=1)]
    if not present.size:
        raise _nothing_in(feature)
    if feature.kind == "sequence":
        moments = [_moments(present.ravel())] * present.shape[1]
    else:
        moments = [_moments(entries) for entries in present.T]
    return DenseColumn(
        name=feature.column,
        separator=feature.separator,
        mean=tuple(mean for mean, _ in moments),
        scale=tuple(scale for _, scale in moments),
    )


def _fit_bag(feature: Feature, table: pa.Table, train: NDArray[np.int64]) -> BagColumn:
    tokens = tokens_of(column_of(table, feature.column), name=feature.column, separator=feature.separator)
    in_train = np.zeros(table.num_rows, bool)
    in_train[train] = True
    kept = np.repeat(in_train, np.diff(tokens.offsets))
    values = _vocabulary(feature, tokens.codes.texts, tokens.codes.indices[kept])
    return BagColumn(
        name=feature.column, separator=feature.separator, values=values, embedding_width=feature.embedding_width
    )


def _vocabulary(feature: Feature, texts: Sequence[str], codes: NDArray[np.int32]) -> tuple[str, ...]:
    """The most frequent values, at most ``max_vocabulary``, by falling frequency, then by text."""
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    if not counts.any():
        raise _nothing_in(feature)
    ordered = sorted(np.flatnonzero(counts).tolist(), key=lambda code: (-counts[code], texts[code]))
    kept = ordered[: feature.max_vocabulary]
    coverage = counts[kept].sum() / counts.sum()
    if coverage < _LEAST_COVERAGE:
        raise DataError(
            expected=f"a column of which {feature.max_vocabulary} values (max_vocabulary) cover half of the rows",
            found=f"{len(ordered)} values, the most frequent {len(kept)} of which cover {coverage:.1%}",
            where=f"column {feature.column!r}",
        )
    return tuple(texts[code] for code in kept)


def _moments(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and deviation (1 for a constant or below the least number), the same to the last bit whatever the order."""
    if values.min() == values.max():
        return float(values[0]), 1.0
    largest = float(np.abs(values).max())
    scaled = np.sort(values) / largest  # divided first: sums and squares may overflow
    return float(scaled.mean()) * largest, float(scaled.std()) * largest or 1.0


def _nothing_in(feature: Feature) -> DataError:
    return DataError(
        expected="some value in the training rows", found="all missing", where=f"column {feature.column!r}"
    )
