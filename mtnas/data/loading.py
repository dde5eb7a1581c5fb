"""Loading: source, features, split and encoding in one; profiling of a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from mtnas.data.access import DataAccess
from mtnas.data.catalogue import SourceTable
from mtnas.data.column_use import columns_used, named_for
from mtnas.data.columns.rows import Rows
from mtnas.data.data_spec import DataSpec, Feature, Source
from mtnas.data.digest import digest_json
from mtnas.data.encoded import EncodedData
from mtnas.data.encoding.cache import read_encoded, write_encoded
from mtnas.data.encoding.encode import encode_rows
from mtnas.data.encoding.fitting import fit_schema
from mtnas.data.encoding.kept_encoding import check_classes, check_encoding
from mtnas.data.encoding.long_rows import encode_long
from mtnas.data.encoding.mapped import forget_pages
from mtnas.data.labels import (
    check_labels,
    describe_labels,
    keep_units,
    label_warnings,
    read_labels,
    read_weights,
    scaled_weights,
    targets_of,
)
from mtnas.data.parts import sample_rows, split_rows
from mtnas.data.profiles.giveaways import Giveaway, find_giveaways
from mtnas.data.profiles.inference import infer_features
from mtnas.data.profiles.leaks import find_leaks
from mtnas.data.profiles.profile import ColumnProfile, Profile
from mtnas.data.profiles.profiling import profile_columns
from mtnas.data.profiles.request_checks import check_columns, check_not_empty, never_inputs, wanted_of
from mtnas.data.schema import DataSchema
from mtnas.data.sources.file_tables import Wanted
from mtnas.data.sources.long_table import LongTable
from mtnas.data.sources.sources import OpenedSource, open_source
from mtnas.data.sources.table_files import check_table
from mtnas.errors import DataError
from mtnas.tasks import Task, TaskKind
from mtnas.units import Transform

Told = Callable[[str, float], None]
"""Hears what is being done, and what share of it is."""
Scratch = Callable[[], Path]
_FORMAT = 5  # of encoding and splitting: part of every digest, raised when the same request gives other arrays
_MAX_LABEL_CANDIDATES = 32
_MAX_PROFILED_ROWS = 50_000


def load(
    spec: DataSpec,
    tasks: Sequence[Task],
    *,
    access: DataAccess,
    encoding: DataSchema | None = None,
    told: Told = lambda what, share: None,
) -> EncodedData:
    """The request's rows, encoded and split; from the cache if the same was asked for before.

    Args:
        spec: the request's data.
        tasks: the request's tasks; their order is the order of the labels.
        access: what may be read, and where the cache is.
        encoding: how inputs were encoded for a network that goes on working; ``None`` fits an encoding to these rows.
        told: hears how far the reading of a table is that is larger than memory.

    Raises:
        DataAccessError: a file that may not or cannot be read.
        DataError: the data is not what the request says, or cannot be encoded in this way; ``where`` names the place.
    """
    source = open_source(spec.source, access=access)
    split = spec.split or source.split
    spec = spec.model_copy(update={"split": split})
    digest = _digest(spec, tasks, source, encoding)
    cached = read_encoded(digest, cache=access.cache)
    if cached is not None:
        columns = named_for(cached.columns, tasks, weight_column=spec.weight_column)
        return replace(cached, columns=columns)
    with _scratch(access.cache) as scratch:
        with _as_data_errors():
            data = _encode(spec, tasks, source, encoding, digest=digest, scratch=scratch, told=told)
        write_encoded(data, cache=access.cache)
    return read_encoded(digest, cache=access.cache) or data


def profile(source: Source, *, access: DataAccess) -> Profile:
    """What the source's columns hold, and which columns would give which labels away.

    Raises:
        DataAccessError: a file that may not or cannot be read.
        DataError: it cannot be parsed, or has no rows.
    """
    opened = open_source(source, access=access)
    with _as_data_errors():
        read = opened.read(Wanted())
    table = read.table
    check_table(table, place="data.source")
    columns = profile_columns(table, index=read.index)
    features, left_out = infer_features(columns, num_rows=table.num_rows)
    if opened.features is not None:
        features = opened.features
        inputs = {feature.column for feature in features}
        left_out = {name: "no input of this set's protocol" for name in table.column_names if name not in inputs}
    return Profile(
        digest=digest_json(opened.identity),
        num_rows=table.num_rows,
        columns=columns,
        inferred={feature.column: feature.kind for feature in features},
        left_out=left_out,
        giveaways=_giveaways_of_candidates(table, columns, features),
    )


def _digest(spec: DataSpec, tasks: Sequence[Task], source: OpenedSource, encoding: DataSchema | None) -> str:
    identity = {
        "format": _FORMAT,
        "source": source.identity,
        "request": spec.model_dump(mode="json", exclude={"source"}),
        "labels": [[task.label, task.kind.value, task.num_classes, *_label_options(task)] for task in tasks],
    }
    return digest_json(identity if encoding is None else identity | {"encoding": encoding.to_json()})


def _label_options(task: Task) -> list[str]:
    """What else decides a task's labels, where it is not the default."""
    transform = [] if task.transform is Transform.NONE else [task.transform.value]
    positive = [] if task.positive is None else [f"positive {task.positive}"]
    weights = [] if task.weight_column is None else [f"weights {task.weight_column}"]
    return [*transform, *positive, *weights]


def _encode(
    spec: DataSpec,
    tasks: Sequence[Task],
    source: OpenedSource,
    encoding: DataSchema | None,
    *,
    digest: str,
    scratch: Scratch,
    told: Told,
) -> EncodedData:
    read = source.read(wanted_of(spec, tasks))
    table = read.table
    if isinstance(table, LongTable):
        table.told = lambda name: told(f"reading column {name!r}", 0.0)
    check_table(table, place="data.source")
    for problem in check_columns(spec, tasks, names=(*table.column_names, *read.skipped), labels=source.labels):
        raise problem.to_error()
    features: tuple[Feature, ...] = ()
    left_out: Mapping[str, str] = {}
    if encoding is None:
        features, left_out = _choose_features(spec, tasks, source, read)
    else:
        check_encoding(spec, tasks, encoding, labels=source.labels)
    labels, classes = read_labels(table, tasks)
    weights = read_weights(table, tasks, labels, column=spec.weight_column)
    if weights is not None:
        labels[weights == 0] = np.nan
    assert spec.split is not None
    parts = split_rows(spec.split, table, search_share=spec.search_share)
    if spec.max_rows is not None and spec.max_rows < table.num_rows:
        rows, parts = sample_rows(parts, num_rows=table.num_rows, max_rows=spec.max_rows)
        table, labels = table.take(rows), labels[rows]
        weights = None if weights is None else weights[rows]
    check_labels(labels, tasks, parts)
    described = describe_labels(labels, tasks, classes, parts["train"])
    if encoding is None:
        schema = fit_schema(
            table,
            features,
            parts["train"],
            numeric=spec.numeric,
            categorical=spec.categorical,
            labels=described,
            reading=read.reading,
        )
    else:
        check_classes(described, encoding.labels)
        schema = replace(encoding, labels=keep_units(described, encoding.labels))
    if isinstance(table, LongTable):
        encoded = encode_long(schema, table, folder=scratch(), told=lambda share: told("encoding rows", share))
    else:
        assert isinstance(table, pa.Table)
        encoded = encode_rows(schema, table)
    giveaways = find_giveaways(schema, encoded, labels, tasks, parts["train"])
    for array in (encoded.categorical, encoded.numeric):
        forget_pages(array)
    warnings = (
        *read.warnings,
        *(giveaway.to_problem() for giveaway in giveaways),
        *find_leaks(spec.split, table, schema, encoded, labels, parts),
    )
    return EncodedData(
        schema=schema,
        categorical=encoded.categorical,
        numeric=encoded.numeric,
        bags=encoded.bags,
        images=encoded.images,
        labels=targets_of(labels, schema.labels),
        weights=None if weights is None else scaled_weights(weights, labels, parts["train"]),
        parts=parts,
        digest=digest,
        truth=read.truth,
        warnings=(*warnings, *label_warnings(labels, tasks, parts, described)),
        columns=columns_used(spec, tasks, schema, table, skipped=read.skipped, left_out=left_out, labels=source.labels),
    )


def _choose_features(
    spec: DataSpec, tasks: Sequence[Task], source: OpenedSource, read: SourceTable
) -> tuple[tuple[Feature, ...], Mapping[str, str]]:
    """The inputs, and why inference left other columns out."""
    if not isinstance(spec.features, str):
        return spec.features, {}
    never = never_inputs(spec, tasks, labels=source.labels)
    left_out: Mapping[str, str] = {}
    if source.features is not None:
        features = tuple(feature for feature in source.features if feature.column not in never)
        left_out = dict.fromkeys(set(read.table.column_names) - never, "no input of this set's protocol")
    else:
        columns = profile_columns(read.table, index=read.index)
        for problem in check_not_empty(columns, num_rows=read.table.num_rows, never=never):
            raise problem.to_error()
        features, left_out = infer_features(columns, num_rows=read.table.num_rows, never=never)
    if not features:
        raise DataError(expected="at least one input", found="none left", where="data.features")
    return features, left_out


@contextmanager
def _scratch(cache: Path) -> Iterator[Scratch]:
    """Makes a folder of this call's own when it is asked for one, and removes it."""
    with ExitStack() as stack:

        def folder() -> Path:
            cache.mkdir(parents=True, exist_ok=True)
            return Path(stack.enter_context(TemporaryDirectory(prefix=".reading-", dir=cache)))

        yield folder


@contextmanager
def _as_data_errors() -> Iterator[None]:
    """What the reading library refuses is a fault of the data, wherever it comes out."""
    try:
        yield
    except (pa.ArrowException, UnicodeError) as error:
        found = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(expected="values that can be read", found=found, where="data.source") from error


def _giveaways_of_candidates(
    table: Rows, columns: Sequence[ColumnProfile], features: Sequence[Feature]
) -> tuple[Giveaway, ...]:
    """Columns that tell a column of zeros and ones, each of which may become a label."""
    candidates = [column.name for column in columns if column.binary_rate is not None and column.distinct == 2]
    by_name = {column.name: column for column in columns}
    clean = [feature for feature in features if _encodes(feature, by_name[feature.column])]
    tasks = [
        Task(name=f"candidate_{index}", kind=TaskKind.BINARY, label=name)
        for index, name in enumerate(candidates[:_MAX_LABEL_CANDIDATES])
    ]
    if not tasks or not clean:
        return ()
    step = -(-table.num_rows // _MAX_PROFILED_ROWS)
    sample = table.take(np.arange(0, table.num_rows, step))
    rows = np.arange(sample.num_rows)
    try:
        schema: DataSchema = fit_schema(sample, clean, rows)
    except DataError:  # a column with nothing in the sample: the profile itself shows it
        return ()
    labels, _ = read_labels(sample, tasks)
    found = find_giveaways(schema, encode_rows(schema, sample), labels, tasks, rows)
    return tuple(giveaway for giveaway in found if giveaway.column != giveaway.label)


def _encodes(feature: Feature, column: ColumnProfile) -> bool:
    if feature.kind == "numeric":
        return not column.infinities and (column.storage != "text" or column.numeric_share == 1.0)
    return feature.kind == "categorical"
