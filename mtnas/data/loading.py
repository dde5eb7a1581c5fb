"""Loading: source, features, split and encoding in one; profiling of a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from mtnas.data.access import DataAccess
from mtnas.data.data_spec import DataSpec, Feature, Source
from mtnas.data.digest import digest_json
from mtnas.data.encoded import EncodedData
from mtnas.data.encoding.cache import read_encoded, write_encoded
from mtnas.data.encoding.encode import encode_rows
from mtnas.data.encoding.fitting import fit_schema
from mtnas.data.encoding.kept_encoding import check_classes, check_encoding
from mtnas.data.labels import check_labels, describe_labels, keep_units, label_warnings, read_labels, targets_of
from mtnas.data.parts import sample_rows, split_rows
from mtnas.data.profiles.giveaways import Giveaway, find_giveaways
from mtnas.data.profiles.inference import infer_features
from mtnas.data.profiles.profile import ColumnProfile, Profile
from mtnas.data.profiles.profiling import profile_columns
from mtnas.data.profiles.request_checks import check_columns, check_not_empty, never_inputs
from mtnas.data.schema import DataSchema
from mtnas.data.sources.sources import OpenedSource, open_source
from mtnas.data.sources.table_files import check_table
from mtnas.errors import DataError
from mtnas.tasks import Task, TaskKind
from mtnas.units import Transform

_FORMAT = 5  # of encoding and splitting: part of every digest, raised when the same request gives other arrays
_MAX_LABEL_CANDIDATES = 32
_MAX_PROFILED_ROWS = 50_000


def load(
    spec: DataSpec, tasks: Sequence[Task], *, access: DataAccess, encoding: DataSchema | None = None
) -> EncodedData:
    """The request's rows, encoded and split; from the cache if the same was asked for before.

    Args:
        spec: the request's data.
        tasks: the request's tasks; their order is the order of the labels.
        access: what may be read, and where the cache is.
        encoding: how inputs were encoded for a network that goes on working; ``None`` fits an encoding to these rows.

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
        return cached
    data = _encode(spec, tasks, source, encoding, digest=digest)
    write_encoded(data, cache=access.cache)
    return read_encoded(digest, cache=access.cache) or data


def profile(source: Source, *, access: DataAccess) -> Profile:
    """What the source's columns hold, and which columns would give which labels away.

    Raises:
        DataAccessError: a file that may not or cannot be read.
        DataError: it cannot be parsed, or has no rows.
    """
    opened = open_source(source, access=access)
    table = opened.read().table
    check_table(table, place="data.source")
    columns = profile_columns(table)
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
    return transform if task.positive is None else [*transform, f"positive {task.positive}"]


def _encode(
    spec: DataSpec, tasks: Sequence[Task], source: OpenedSource, encoding: DataSchema | None, *, digest: str
) -> EncodedData:
    read = source.read()
    table = read.table
    check_table(table, place="data.source")
    for problem in check_columns(spec, tasks, names=table.column_names, labels=source.labels):
        raise problem.to_error()
    if encoding is not None:
        check_encoding(spec, tasks, encoding, labels=source.labels)
    features = _choose_features(spec, tasks, source, table) if encoding is None else ()
    labels, classes = read_labels(table, tasks)
    assert spec.split is not None
    parts = split_rows(spec.split, table, search_share=spec.search_share)
    if spec.max_rows is not None and spec.max_rows < table.num_rows:
        rows, parts = sample_rows(parts, num_rows=table.num_rows, max_rows=spec.max_rows)
        table, labels = table.take(rows), labels[rows]
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
        )
    else:
        check_classes(described, encoding.labels)
        schema = replace(encoding, labels=keep_units(described, encoding.labels))
    encoded = encode_rows(schema, table)
    giveaways = find_giveaways(schema, encoded, labels, tasks, parts["train"])
    return EncodedData(
        schema=schema,
        categorical=encoded.categorical,
        numeric=encoded.numeric,
        bags=encoded.bags,
        images=encoded.images,
        labels=targets_of(labels, schema.labels),
        parts=parts,
        digest=digest,
        truth=read.truth,
        warnings=(*(giveaway.to_problem() for giveaway in giveaways), *label_warnings(labels, tasks, parts, described)),
    )


def _choose_features(
    spec: DataSpec, tasks: Sequence[Task], source: OpenedSource, table: pa.Table
) -> tuple[Feature, ...]:
    if not isinstance(spec.features, str):
        return spec.features
    never = never_inputs(spec, tasks, labels=source.labels)
    if source.features is not None:
        features = tuple(feature for feature in source.features if feature.column not in never)
    else:
        columns = profile_columns(table)
        for problem in check_not_empty(columns, num_rows=table.num_rows, never=never):
            raise problem.to_error()
        features, _ = infer_features(columns, num_rows=table.num_rows, never=never)
    if not features:
        raise DataError(expected="at least one input", found="none left", where="data.features")
    return features


def _giveaways_of_candidates(
    table: pa.Table, columns: Sequence[ColumnProfile], features: Sequence[Feature]
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
