"""The data part of the job specification: sources, features, splits. ``mtnas.spec`` hands these on."""

from __future__ import annotations

import codecs
from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from mtnas.data.columns.value_text import MISSING_TEXTS
from mtnas.data.encoding_spec import Bins, CategoricalSpec, NumericSpec, PiecewiseNumbers, Width
from mtnas.data.lengths import AtMost, ColumnName, FilePath, Name, Options
from mtnas.data.spec_part import Part as Part

WEIGHT_COLUMN = Field(default=None, validation_alias=AliasChoices("weight_column", "sample_weight"))
MAX_COLUMNS = 10_000


class CatalogueSource(Part):
    """A public data set by name, with its options (``planted`` takes many, the others few)."""

    kind: Literal["catalogue"] = "catalogue"
    name: Name
    options: Options = Field(default_factory=dict)


class DatasetSource(Part):
    """A data set that was registered before, by its name or id."""

    kind: Literal["dataset"] = "dataset"
    name: Name


class JoinedTable(Part):
    """A further table whose columns join the main one on equal keys: a left join, keys unique on its side.

    ``prefix`` goes before the names of its columns (the keys aside), where they would clash with others.
    """

    path: FilePath
    on: Annotated[tuple[ColumnName, ...], Field(min_length=1), AtMost(64)]
    prefix: Name = ""


class ImageArray(Part):
    """An image for every row in one file: a ``.npy`` or ``.npz`` array of bytes, ``[N, rows, columns(, channels)]``.

    The n-th image belongs to the n-th row of the table. ``column``: what the table calls its images.
    """

    kind: Literal["array"] = "array"
    path: FilePath
    column: ColumnName = "image"


class ImageFiles(Part):
    """An image file (PNG, JPEG, ...) for every row: the column ``names`` holds their names below ``folder``.

    All are brought to ``shape``: channels (1 grey, 3 colours, 4 with transparency), rows, columns.
    """

    kind: Literal["files"] = "files"
    folder: FilePath
    names: ColumnName
    shape: tuple[Literal[1, 3, 4], Annotated[int, Field(ge=1, le=4096)], Annotated[int, Field(ge=1, le=4096)]]
    column: ColumnName = "image"


class FileSource(Part):
    """Files below a data root: CSV or Parquet, one or several tables of one schema, or tables to join.

    ``paths`` are concatenated; each is a file, a folder with all tables in it (folders named ``key=value`` give a
    column), or a pattern such as ``days/*.csv``. ``join`` adds columns from further tables by key. ``images`` adds a
    column of images.

    For CSV files (which may be compressed): ``delimiter``; ``column_names`` where the files in ``paths`` have no
    header; ``null_values``, the texts that mean a missing value beside the empty one; ``encoding``; ``decimal`` before
    the fraction of a number and ``thousands`` between groups of digits (left out, both are judged by the texts, with
    a warning where they are not the usual ones); ``date_format`` in the terms of ``strptime``, for moments that are
    not written as ISO 8601.
    """

    kind: Literal["file"] = "file"
    paths: Annotated[tuple[FilePath, ...], Field(min_length=1), AtMost(4096)]
    join: Annotated[tuple[JoinedTable, ...], AtMost(64)] = ()
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    column_names: Annotated[tuple[ColumnName, ...], AtMost(MAX_COLUMNS)] | None = None
    null_values: Annotated[
        tuple[Name, ...], AtMost(64), Field(validation_alias=AliasChoices("null_values", "missing"))
    ] = MISSING_TEXTS
    encoding: Name = "utf-8"
    decimal: Literal[".", ","] | None = None
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    date_format: Annotated[str, Field(min_length=2, max_length=100)] | None = None
    images: Annotated[ImageArray | ImageFiles, Field(discriminator="kind")] | None = None

    @model_validator(mode="after")
    def _values_can_be_read(self) -> FileSource:
        try:
            codecs.lookup(self.encoding)
        except (LookupError, ValueError):
            raise ValueError(f"an encoding such as utf-8, latin-1 or cp1252, found {self.encoding!r}") from None
        if self.thousands is not None and (self.thousands == (self.decimal or ".") or self.thousands.isalnum()):
            raise ValueError(f"thousands other than decimal, letters and digits, found {self.thousands!r}")
        if self.date_format is not None and "%" not in self.date_format:
            raise ValueError(f"a date_format such as %d/%m/%Y, found {self.date_format!r}")
        return self


Source = Annotated[CatalogueSource | DatasetSource | FileSource, Field(discriminator="kind")]


class Feature(Part):
    """One input column and how to read it.

    An ``image`` column holds tensors of bytes (channels, rows, columns), which become numbers from 0 to 1.
    ``separator`` splits a multi-valued text column, and a vector or sequence in a text column. Values that do not get
    one of ``max_vocabulary`` places (the most frequent do) count as out of vocabulary. ``bins`` and ``embedding_width``
    stand for those of ``data.numeric`` and ``data.categorical``; a numeric column with 0 bins is a number and nothing
    else, and one whose numbers become vectors (``piecewise``, ``periodic``) has no width of its own. A feature with an
    ``embedding_width`` is not one-hot.
    A sequence is a vector whose numbers are one quantity at successive steps: they share one mean and deviation, and
    several such columns beside each other are the channels of what recurrent blocks read.
    """

    column: ColumnName
    kind: Literal["numeric", "categorical", "dense_vector", "sequence", "multi_valued", "image"]
    separator: Annotated[str, Field(min_length=1, max_length=16)] = " "
    max_vocabulary: Annotated[int, Field(ge=1)] = 100_000
    embedding_width: Width | None = None
    bins: Bins | None = None


def as_columns(value: Any) -> Any:
    """One column's name as a list of one."""
    return (value,) if isinstance(value, str) else value


class RatioSplit(Part):
    """Rows at random; the rest after ``valid`` and ``test`` is for training.

    ``stratify``: columns, such as rare labels, whose every value (or combination of values) is in all parts in the
    same proportion. The parts of such a split depend on all rows: rows that come later may move others.
    """

    kind: Literal["ratio"] = "ratio"
    stratify: Annotated[tuple[ColumnName, ...], AtMost(16), BeforeValidator(as_columns)] = ()
    valid: Annotated[float, Field(gt=0, lt=1)] = 0.1
    test: Annotated[float, Field(gt=0, lt=1)] = 0.1
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _something_is_left_to_train(self) -> RatioSplit:
        _check_shares(self.valid, self.test)
        return self


class ColumnSplit(Part):
    """Rows by the value of a column; values that are not named are left out.

    With ``halve_test`` the rows named in ``test`` are cut 1:1 at random into ``valid`` and ``test``.
    """

    kind: Literal["column"] = "column"
    column: ColumnName
    train: Annotated[tuple[ColumnName, ...], Field(min_length=1), AtMost(4096)]
    valid: Annotated[tuple[ColumnName, ...], AtMost(4096)] = ()
    test: Annotated[tuple[ColumnName, ...], Field(min_length=1), AtMost(4096)]
    halve_test: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _parts_are_disjoint(self) -> ColumnSplit:
        named = (*self.train, *self.valid, *self.test)
        doubled = sorted(value for value, count in Counter(named).items() if count > 1)
        if doubled:
            raise ValueError(f"each value of column {self.column!r} in one part only, found {doubled} twice")
        if bool(self.valid) == self.halve_test:
            raise ValueError("either values for valid, or halve_test to take half of the test rows")
        return self


class TimeSplit(Part):
    """Rows in the order of a column: the last go to ``test``, those before to ``valid``.

    Rows of one moment stay together, so the shares are kept as nearly as ties allow.
    """

    kind: Literal["time"] = "time"
    column: ColumnName
    valid: Annotated[float, Field(gt=0, lt=1)] = 0.1
    test: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _something_is_left_to_train(self) -> TimeSplit:
        _check_shares(self.valid, self.test)
        return self


class GroupSplit(Part):
    """Whole groups (users, sessions) at random, so that no group is in two parts."""

    kind: Literal["group"] = "group"
    column: ColumnName
    valid: Annotated[float, Field(gt=0, lt=1)] = 0.1
    test: Annotated[float, Field(gt=0, lt=1)] = 0.1
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _something_is_left_to_train(self) -> GroupSplit:
        _check_shares(self.valid, self.test)
        return self


Split = Annotated[RatioSplit | ColumnSplit | TimeSplit | GroupSplit, Field(discriminator="kind")]


class DataSpec(Part):
    """Where the rows come from, which columns are inputs, and how rows are split.

    ``split`` and ``features`` may be left to a catalogue set's own protocol (``None``, ``"infer"``); for other
    data ``None`` means ``RatioSplit()``. ``search_share`` is the part of the training rows held back for
    architecture decisions (PROTOCOL.md point 1). ``max_rows`` takes a sample, the same in every job; a row keeps
    the part that it has in the whole. ``numeric`` and ``categorical``: how numbers and categories become inputs.
    ``weight_column`` (or ``sample_weight``): how much each row counts for every task, in losses and in the figures of
    every part; rows of weight 0 are not labelled.
    """

    source: Source
    features: Literal["infer"] | Annotated[tuple[Feature, ...], Field(min_length=1), AtMost(MAX_COLUMNS)] = "infer"
    exclude: Annotated[tuple[ColumnName, ...], AtMost(MAX_COLUMNS)] = ()
    numeric: NumericSpec = PiecewiseNumbers()
    categorical: CategoricalSpec = CategoricalSpec()
    split: Split | None = None
    weight_column: ColumnName | None = WEIGHT_COLUMN
    search_share: Annotated[float, Field(ge=0.05, le=0.5)] = 0.125
    max_rows: Annotated[int, Field(ge=1)] | None = None


def _check_shares(valid: float, test: float) -> None:
    if valid + test >= 1:
        raise ValueError(f"shares of valid and test below 1 together, found {valid} + {test}")
