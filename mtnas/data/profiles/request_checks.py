"""Checking a request's data against what is known of it, without reading it: the stored profile, the catalogue."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa

from mtnas.data.class_values import two_values
from mtnas.data.columns.column import NULL_HINT
from mtnas.data.columns.storage import SEVERAL_VALUES, Storage, kind_of_storage
from mtnas.data.columns.value_text import Places, Spelling
from mtnas.data.data_spec import (
    CatalogueSource,
    ColumnSplit,
    DataSpec,
    Feature,
    FileSource,
    GroupSplit,
    ImageFiles,
    RatioSplit,
    TimeSplit,
)
from mtnas.data.problem import Problem
from mtnas.data.profiles.inference import infer_features
from mtnas.data.profiles.profile import ColumnProfile, Profile
from mtnas.data.sources.file_tables import Wanted
from mtnas.data.sources.sources import catalogue_set
from mtnas.errors import DataError
from mtnas.tasks import Task, TaskKind


def check_against_profile(spec: DataSpec, tasks: Sequence[Task], profile: Profile | None) -> tuple[Problem, ...]:
    """What can be said to be wrong without reading the data.

    Args:
        spec: the request's data.
        tasks: the request's tasks.
        profile: of the data, if one is stored. A catalogue set's columns are known without.

    Returns:
        Errors, each of which ``load`` would raise as well, then warnings; empty if all is well as far as can be seen.
    """
    declared: tuple[Feature, ...] | None = None
    labels: frozenset[str] = frozenset()
    split = spec.split
    names: Sequence[str] | None = [column.name for column in profile.columns] if profile else None
    if isinstance(spec.source, CatalogueSource):
        try:
            known = catalogue_set(spec.source)
            options = known.check_options(spec.source.options)
        except DataError as error:
            return (Problem(expected=error.expected, found=error.found, where=error.where),)
        declared, names = known.features(options), known.column_names(options)
        labels = frozenset(task.label for task in known.labels(options))
        split = split or known.split(options)
    if names is None:
        return ()
    problems = list(check_columns(spec, tasks, names=names, labels=labels))
    if profile is None or problems:
        return tuple(problems)
    features = _features(spec, tasks, profile, declared)
    if isinstance(spec.features, str) and declared is None:
        problems += check_not_empty(
            profile.columns, num_rows=profile.num_rows, never=never_inputs(spec, tasks, labels=())
        )
    problems += _check_labels(tasks, profile)
    for feature in features:
        if (column := profile.column(feature.column)) is not None:
            problems += _check_input(feature, column, num_rows=profile.num_rows)
    problems += _check_split(split, profile)
    return (*problems, *_warnings(features, tasks, profile))


def check_columns(
    spec: DataSpec, tasks: Sequence[Task], *, names: Collection[str], labels: Collection[str]
) -> Iterator[Problem]:
    """Names that do not exist, or that play two parts.

    Args:
        spec: the request's data.
        tasks: the request's tasks.
        names: the data's columns.
        labels: columns that are labels whatever the request says.
    """
    shown = (name if name == name.strip() != "" else repr(name) for name in sorted(names)[:30])
    known = f"one of the columns {', '.join(shown)}" + (" and more" if len(names) > 30 else "")

    def unknown(name: str, where: str) -> Iterator[Problem]:
        if name not in names:
            yield Problem(expected=known, found=repr(name), where=where)

    for index, task in enumerate(tasks):
        yield from unknown(task.label, f"tasks[{index}].label")
        if task.weight_column is not None:
            yield from unknown(task.weight_column, f"tasks[{index}].weight_column")
    if spec.weight_column is not None:
        yield from unknown(spec.weight_column, "data.weight_column")
    for index, name in enumerate(spec.exclude):
        yield from unknown(name, f"data.exclude[{index}]")
    if isinstance(spec.split, ColumnSplit | TimeSplit | GroupSplit):
        yield from unknown(spec.split.column, "data.split.column")
    if isinstance(spec.split, RatioSplit):
        for name in spec.split.stratify:
            yield from unknown(name, "data.split.stratify")
    if isinstance(spec.features, str):
        return
    used: set[str] = set()
    taken = {task.label for task in tasks} | set(labels)
    for index, feature in enumerate(spec.features):
        where = f"data.features[{index}].column"
        yield from unknown(feature.column, where)
        if feature.column in taken:
            yield Problem(expected="an input", found=f"the label {feature.column!r}", where=where)
        if feature.column in spec.exclude:
            yield Problem(expected="an input", found=f"{feature.column!r}, which data.exclude names", where=where)
        if feature.column in used:
            yield Problem(expected="each column once", found=f"{feature.column!r} again", where=where)
        used.add(feature.column)


def check_not_empty(columns: Sequence[ColumnProfile], *, num_rows: int, never: Collection[str]) -> Iterator[Problem]:
    """Columns without any value, which inference would have to pass over in silence."""
    for column in columns:
        if column.missing == num_rows and column.name and column.name not in never:
            expected = "some value (or the column excluded)"
            yield Problem(expected=expected, found="all missing", where=f"column {column.name!r}")


def never_inputs(spec: DataSpec, tasks: Sequence[Task], *, labels: Collection[str]) -> frozenset[str]:
    """Columns that inference must leave out: labels, what the user excludes, and the column that splits the rows."""
    split = {spec.split.column} if isinstance(spec.split, ColumnSplit | TimeSplit | GroupSplit) else set()
    weights = {name for name in (spec.weight_column, *(task.weight_column for task in tasks)) if name is not None}
    return frozenset({*labels, *spec.exclude, *(task.label for task in tasks)} | split | weights)


def wanted_of(spec: DataSpec, tasks: Sequence[Task] = ()) -> Wanted:
    """Which columns need not be looked at, and which must stay texts."""
    needed = {task.label for task in tasks}
    if isinstance(spec.split, ColumnSplit | TimeSplit | GroupSplit):
        needed.add(spec.split.column)
    if isinstance(spec.source, FileSource):
        needed.update(name for other in spec.source.join for name in other.on)
        if isinstance(spec.source.images, ImageFiles):
            needed.add(spec.source.images.names)
    several = () if isinstance(spec.features, str) else spec.features
    return Wanted(
        skip=frozenset(spec.exclude) - needed,
        texts=frozenset(f.column for f in several if f.kind in ("multi_valued", "dense_vector", "sequence")),
    )


def _features(
    spec: DataSpec, tasks: Sequence[Task], profile: Profile, declared: tuple[Feature, ...] | None
) -> tuple[Feature, ...]:
    if not isinstance(spec.features, str):
        return spec.features
    never = never_inputs(spec, tasks, labels=())
    if declared is not None:
        return tuple(feature for feature in declared if feature.column not in never)
    return infer_features(profile.columns, num_rows=profile.num_rows, never=never)[0]


def _check_labels(tasks: Sequence[Task], profile: Profile) -> Iterator[Problem]:
    for index, task in enumerate(tasks):
        column = profile.column(task.label)
        if column is None:
            continue
        where = f"tasks[{index}].label, column {task.label!r}"
        if column.missing == profile.num_rows:
            yield Problem(expected="labelled rows", found="none", where=where)
        elif column.distinct == 1:
            shown = column.top[0][0] if column.top else "one value"
            yield Problem(expected="a label that varies", found=f"{shown} in all labelled rows", where=where)
        elif task.kind is TaskKind.BINARY and (column.binary_rate is None or task.positive is not None):
            yield from _check_two_values(column, task, where=where)
        elif task.kind is TaskKind.REGRESSION:
            yield from _check_numbers(column, where=where)
        elif task.kind is TaskKind.MULTICLASS:
            yield from _check_classes(column, task, where=where)


def _check_two_values(column: ColumnProfile, task: Task, *, where: str) -> Iterator[Problem]:
    """As far as a profile can tell; reading tells for certain."""
    if column.distinct is None:
        yield Problem(expected="two values as binary label", found=_shown(column), where=where)
    elif len(column.top) == column.distinct:
        values = pa.chunked_array([[text for text, _ in column.top]], pa.string())
        try:
            two_values(values, name=task.label, positive=task.positive)
        except DataError as error:
            yield Problem(expected=error.expected, found=error.found, where=where)
    elif not (_has_numbers(column) and column.minimum >= 0 and column.maximum <= 1):  # type: ignore[operator]
        yield Problem(expected="two values, or probabilities, as binary label", found=_shown(column), where=where)


def _check_classes(column: ColumnProfile, task: Task, *, where: str) -> Iterator[Problem]:
    """As far as a profile can tell; reading tells for certain."""
    expected, distinct = f"{task.num_classes} classes", column.distinct
    if distinct is None:
        yield Problem(expected=expected, found=column.storage.value, where=where)
    elif task.num_classes == 0 or distinct == task.num_classes:
        return
    elif not _has_numbers(column) and distinct > task.num_classes:
        yield Problem(expected=expected, found=f"{distinct} different texts", where=where)
    elif _has_numbers(column) and not (column.whole and column.minimum >= 0 and column.maximum < task.num_classes):  # type: ignore[operator]
        expected = f"classes from 0 to {task.num_classes - 1}, or {task.num_classes} different values"
        found = f"{distinct} numbers from {column.minimum:g} to {column.maximum:g}"
        yield Problem(expected=expected, found=found, where=where)


def _has_numbers(column: ColumnProfile) -> bool:
    texts = column.storage is Storage.TEXT and (column.numeric_share or 0) < 1
    return not texts and column.minimum is not None and column.maximum is not None


def _check_input(feature: Feature, column: ColumnProfile, *, num_rows: int) -> Iterator[Problem]:
    where = f"column {feature.column!r}"
    if column.missing == num_rows:
        yield Problem(expected="some value", found="all missing", where=where)
    elif feature.kind == "numeric":
        yield from _check_numbers(column, where=where)
    elif (feature.kind == "image") != (column.storage is Storage.IMAGE):
        expected = "images of bytes" if feature.kind == "image" else f"a column to read as {feature.kind}"
        yield Problem(expected=expected, found=column.storage.value, where=where)
    elif feature.kind in ("dense_vector", "sequence") and column.infinities:
        yield Problem(expected="finite numbers", found=f"{column.infinities} infinite", where=where)


def _check_numbers(column: ColumnProfile, *, where: str) -> Iterator[Problem]:
    if column.storage in SEVERAL_VALUES:
        yield Problem(expected="a number a row", found=column.storage.value, where=where)
    elif column.first_text is not None:
        row, text = column.first_text
        yield Problem(expected="a number", found=repr(text) + NULL_HINT, where=f"{where}, row {row}")
    elif column.storage is Storage.TEXT and column.numeric_share < 1:
        yield Problem(expected="numbers", found=_shown(column), where=where)
    elif column.infinities:
        row_found = f"{where}, row {column.first_infinity}"
        yield Problem(expected="finite numbers", found=f"{column.infinities} infinite", where=row_found)


def _check_split(
    split: RatioSplit | ColumnSplit | TimeSplit | GroupSplit | None, profile: Profile
) -> Iterator[Problem]:
    if split is None or isinstance(split, RatioSplit):
        return
    column = profile.column(split.column)
    if column is None:
        return
    if not isinstance(split, ColumnSplit):
        if column.missing:
            where = f"data.split.column, column {split.column!r}"
            yield Problem(
                expected="a value in every row, for the split", found=f"{column.missing} missing", where=where
            )
        return
    values = [text for text, _ in column.top]
    if len(values) != column.distinct:
        return  # the profile does not show every value
    known = Places(values, kind_of_storage(column.storage), Spelling())
    for part, named in (("train", split.train), ("valid", split.valid), ("test", split.test)):
        for value in named:
            if not known.find(value):
                expected = f"values of column {split.column!r} ({', '.join(sorted(values))})"
                yield Problem(expected=expected, found=repr(value), where=f"data.split.{part}")


def _warnings(features: Sequence[Feature], tasks: Sequence[Task], profile: Profile) -> Iterator[Problem]:
    inputs = {feature.column for feature in features}
    labels = {task.label for task in tasks}
    for giveaway in profile.giveaways:
        if giveaway.column in inputs and giveaway.label in labels:
            yield giveaway.to_problem()


def _shown(column: ColumnProfile) -> str:
    if not column.top:
        return f"{column.distinct} different values" if column.distinct else column.storage.value
    return "values such as " + ", ".join(repr(text) for text, _ in column.top[:3])
