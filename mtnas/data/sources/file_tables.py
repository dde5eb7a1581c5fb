"""A source's files to one table: read, brought to one type, put one below the other, joined; and what was noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from mtnas.data.columns.number_texts import (
    groups_of_three,
    look_of,
    looks_like_dates,
    numbers_from_texts,
    some_texts,
)
from mtnas.data.columns.rows import Rows
from mtnas.data.columns.storage import Storage, storage_of
from mtnas.data.data_spec import FileSource
from mtnas.data.problem import Problem
from mtnas.data.schema_columns import Reading
from mtnas.data.sources.csv_files import CsvOptions
from mtnas.data.sources.joining import join_table
from mtnas.data.sources.locating import Located
from mtnas.data.sources.long_table import long_table
from mtnas.data.sources.one_type import Member, agree
from mtnas.data.sources.parquet_files import is_parquet
from mtnas.data.sources.table_files import TableFile, check_same_columns, read_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a request wants of a source's columns.

    Attributes:
        skip: columns that are not looked at.
        texts: columns that hold several values in one text, and so stay texts.
    """

    skip: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadFiles:
    """A source's files as one table.

    Attributes:
        table: its rows.
        reading: how its values are written.
        index: columns that are the index of a data frame.
        skipped: columns that were not looked at.
        warnings: texts that look like something else.
    """

    table: Rows
    reading: Reading
    index: frozenset[str] = frozenset()
    skipped: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = field(default=())


def read_files(source: FileSource, files: Sequence[Located], joined: Sequence[Located], *, wanted: Wanted) -> ReadFiles:
    """All files of the source as one table.

    Args:
        source: how they are written and joined.
        files: the files of ``source.paths``.
        joined: the file of each of ``source.join``.
        wanted: what is to be read.

    Raises:
        DataAccessError: a file that cannot be read.
        DataError: files that cannot be parsed, are not one table, or cannot be joined.
    """
    options = CsvOptions(
        delimiter=source.delimiter,
        column_names=source.column_names,
        null_values=source.null_values,
        encoding=source.encoding,
        decimal=source.decimal,
        thousands=source.thousands,
        date_format=source.date_format,
    )
    if (long := _long(source, files, options, wanted=wanted)) is not None:
        return long
    found = _read(source, files, joined, options, wanted=wanted)
    if source.decimal is None and source.thousands is None:
        seen = _separators(found, options)
        if seen != options:
            told = _told_by(found, seen)
            found = _read(source, files, joined, seen, wanted=wanted)
            return replace(found, warnings=(*told, *found.warnings))
    return found


def _long(source: FileSource, files: Sequence[Located], options: CsvOptions, *, wanted: Wanted) -> ReadFiles | None:
    """The files as a table that is read column by column, if they are plain Parquet and too many for memory."""
    if source.join or source.images is not None or not all(is_parquet(file.path) for file in files):
        return None
    spelling = options.spelling
    places = [
        (file.path, {name: value for name, value in file.partition.items() if name not in wanted.skip})
        for file in files
    ]
    try:
        table = long_table(places, skip=wanted.skip, spelling=spelling)
    except (pa.ArrowException, OSError):
        return None  # reading file by file meets it again, and names the file
    if table is None:
        return None
    reading = Reading(
        decimal=spelling.decimal, thousands=spelling.thousands, date_format=spelling.date_format, missing=("",)
    )
    given = dict.fromkeys(name for file in files for name in file.partition if name in wanted.skip)
    return ReadFiles(table=table, reading=reading, index=table.index, skipped=(*table.skipped, *given))


def _read(
    source: FileSource, files: Sequence[Located], joined: Sequence[Located], options: CsvOptions, *, wanted: Wanted
) -> ReadFiles:
    main = [
        read_file(
            file.path,
            where=file.where,
            options=options,
            skip=wanted.skip,
            texts=wanted.texts,
            constants={name: value for name, value in file.partition.items() if name not in wanted.skip},
        )
        for file in files
    ]
    check_same_columns(main)
    further = []
    for other, file in zip(source.join, joined, strict=True):
        prefix = other.prefix
        skip = {name.removeprefix(prefix) for name in wanted.skip if name.startswith(prefix)} - set(other.on)
        texts = {name.removeprefix(prefix) for name in wanted.texts if name.startswith(prefix)}
        plain = replace(options, column_names=None)
        further.append(read_file(file.path, where=file.where, options=plain, skip=skip, texts=texts))
    everything = [*main, *further]
    spelling = options.spelling
    tables = agree(everything, _groups(source, main, further), spelling=spelling, texts=wanted.texts)
    names = main[0].table.column_names
    table = pa.concat_tables([each.select(names) for each in tables[: len(main)]], promote_options="permissive")
    for other, located, each in zip(source.join, joined, tables[len(main) :], strict=True):
        table = join_table(table, each, on=other.on, prefix=other.prefix, where=located.where)
    has_csv = any(file.options is not None for file in everything)
    reading = Reading(
        decimal=spelling.decimal,
        thousands=spelling.thousands,
        date_format=spelling.date_format,
        missing=options.missing if has_csv else ("",),
    )
    skipped = dict.fromkeys(name for file in main for name in file.skipped)
    skipped |= dict.fromkeys(name for file in files for name in file.partition if name in wanted.skip)
    for other, beside in zip(source.join, further, strict=True):
        skipped |= dict.fromkeys(other.prefix + name for name in beside.skipped)
    return ReadFiles(
        table=table,
        reading=reading,
        index=frozenset(name for file in main for name in file.index),
        skipped=tuple(skipped),
        warnings=tuple(_notices(table, options, texts=wanted.texts)) if has_csv else (),
    )


def _groups(
    source: FileSource, main: Sequence[TableFile], further: Sequence[TableFile]
) -> Mapping[str, Sequence[Member]]:
    """Which columns of which files become one column, or are compared by a join."""
    groups: dict[str, list[Member]] = {
        name: [Member(file=number, name=name) for number in range(len(main))] for name in main[0].table.column_names
    }
    for number, (other, file) in enumerate(zip(source.join, further, strict=True), len(main)):
        for name in file.table.column_names:
            group = name if name in other.on else other.prefix + name
            groups.setdefault(group, []).append(Member(file=number, name=name))
    return groups


def _separators(found: ReadFiles, options: CsvOptions) -> CsvOptions:
    """The options with ``decimal`` and ``thousands`` as the texts show them, if they leave no doubt.

    Commas inside a file that commas divide stand between thousands, unless some column shows otherwise; a comma in
    a file with another delimiter is a decimal one only if some column cannot be read in another way.
    """
    looks = {}
    for name in found.table.column_names:
        column = found.table.column(name)
        if storage_of(column) is Storage.TEXT and not pa.types.is_dictionary(column.type):
            looks[name] = look_of(column)
    kinds = set(looks.values())
    if "decimal" in kinds and "thousands" not in kinds and options.delimiter != ",":
        grouped = any(
            "." in text
            for name, look in looks.items()
            if look in ("decimal", "either")
            for text in some_texts(found.table.column(name), count=1000)
        )
        return replace(options, decimal=",", thousands="." if grouped else None)
    sure = [
        name
        for name, look in looks.items()
        if look == "thousands"
        or (look == "either" and options.delimiter == "," and not groups_of_three(found.table.column(name)))
    ]
    if sure and "decimal" not in kinds:
        return replace(options, decimal=".", thousands=",")
    return options


def _told_by(found: ReadFiles, seen: CsvOptions) -> Sequence[Problem]:
    """Warnings of the columns that are read in a spelling that nobody asked for."""
    how = f"decimal {seen.decimal!r}" + (f" and thousands {seen.thousands!r}" if seen.thousands else "")
    notices = []
    for name in found.table.column_names:
        column = found.table.column(name)
        if storage_of(column) is Storage.TEXT and numbers_from_texts(column, seen.spelling) is not None:
            shown = ", ".join(map(repr, some_texts(column)))
            notices.append(
                Problem(
                    severity="warning",
                    expected="data.source.decimal and data.source.thousands where numbers are not written as 1234.5",
                    found=f"texts such as {shown}, read as numbers with {how}",
                    where=f"column {name!r}",
                )
            )
    return notices


def _notices(table: pa.Table, options: CsvOptions, *, texts: frozenset[str]) -> Sequence[Problem]:
    """Warnings of columns that stayed texts though they look like numbers or days, and of columns without a name."""
    notices = []
    for name in table.column_names:
        where, column = f"column {name!r}", table.column(name)
        if not name:
            expected = "a name for every column (the index of a data frame is left out by index=False)"
            notices.append(Problem(severity="warning", expected=expected, found="one without, left out", where=where))
            continue
        if name in texts or storage_of(column) is not Storage.TEXT or pa.types.is_dictionary(column.type):
            continue
        shown = ", ".join(map(repr, some_texts(column)))
        if look_of(column) is not None:
            expected = "numbers written as 1234.5, or data.source.decimal and data.source.thousands that say how"
            found = f"texts that look like numbers, such as {shown}, and are read as texts"
            notices.append(Problem(severity="warning", expected=expected, found=found, where=where))
        elif looks_like_dates(column):
            expected = "days written as 2022-01-31, or data.source.date_format"
            found = f"texts that look like days, such as {shown}, and are read as texts"
            notices.append(Problem(severity="warning", expected=expected, found=found, where=where))
    return notices
