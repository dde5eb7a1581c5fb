"""From a source in a specification to something that can be read: its identity, its own protocol, its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from mtnas.data.access import DataAccess
from mtnas.data.catalogue import CATALOGUE, CatalogueSet, SourceTable
from mtnas.data.data_spec import CatalogueSource, DatasetSource, Feature, FileSource, RatioSplit, Source, Split
from mtnas.data.digest import digest_file
from mtnas.data.sources.image_files import image_paths, with_images
from mtnas.data.sources.joining import join_table
from mtnas.data.sources.table_files import concat_tables, read_table
from mtnas.errors import DataAccessError, DataError

_SOURCES: TypeAdapter[Source] = TypeAdapter(Source)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSource:
    """A source whose files are there, not read yet.

    Attributes:
        identity: what its rows depend on, as JSON for a digest.
        features: the inputs of its own protocol; ``None``: to be inferred.
        split: its own split.
        labels: columns that are labels of its tasks, asked for or not, and so never inputs.
        read: its rows; raises DataError.
    """

    identity: Any
    features: tuple[Feature, ...] | None
    split: Split
    labels: frozenset[str]
    read: Callable[[], SourceTable]


def open_source(source: Source, *, access: DataAccess) -> OpenedSource:
    """Find what the source names.

    Raises:
        DataAccessError: a file that is not there or not below the roots.
        DataError: an unknown catalogue set or data set, or impossible options.
    """
    match source:
        case CatalogueSource():
            known = catalogue_set(source)
            return _open_catalogue(known, known.check_options(source.options), access=access)
        case DatasetSource():
            return open_source(registered_source(source, access=access), access=access)
        case FileSource():
            return _open_files(source, access=access)


def catalogue_set(source: CatalogueSource) -> CatalogueSet[Any]:
    """The set that the source names.

    Raises:
        DataError: there is none.
    """
    if source.name not in CATALOGUE:
        expected = f"one of the catalogue sets {', '.join(CATALOGUE)}"
        raise DataError(expected=expected, found=repr(source.name), where="data.source.name")
    return CATALOGUE[source.name]


def registered_source(source: DatasetSource, *, access: DataAccess) -> CatalogueSource | FileSource:
    """What was registered under that name.

    Raises:
        DataError: nothing, or nothing that can be read.
    """
    where = "data.source.name"
    if source.name not in access.registered:
        raise DataError(expected="a registered data set", found=repr(source.name), where=where)
    try:
        registered = _SOURCES.validate_python(access.registered[source.name])
    except ValidationError as error:
        raise DataError(expected="a source", found=str(error.errors()[0]["msg"]), where=where) from error
    if isinstance(registered, DatasetSource):
        raise DataError(expected="files or a catalogue set", found="another data set's name", where=where)
    return registered


def _open_catalogue(known: CatalogueSet[Any], options: Any, *, access: DataAccess) -> OpenedSource:
    return OpenedSource(
        identity={"catalogue": known.name, "of": known.identity(options, access)},
        features=known.features(options),
        split=known.split(options),
        labels=frozenset(task.label for task in known.labels(options)),
        read=lambda: known.read(options, access),
    )


def _open_files(source: FileSource, *, access: DataAccess) -> OpenedSource:
    places = [f"data.source.paths[{index}]" for index in range(len(source.paths))]
    paths = [access.resolve(path, where=place) for path, place in zip(source.paths, places, strict=True)]
    join_places = [f"data.source.join[{index}].path" for index in range(len(source.join))]
    joined = [access.resolve(other.path, where=place) for other, place in zip(source.join, join_places, strict=True)]

    def read_tables() -> pa.Table:
        tables = [
            read_table(
                path,
                where=place,
                delimiter=source.delimiter,
                column_names=source.column_names,
                missing=source.missing,
            )
            for path, place in zip(paths, places, strict=True)
        ]
        table = concat_tables(tables, places=places)
        for other, path, place in zip(source.join, joined, join_places, strict=True):
            further = read_table(path, where=place, delimiter=source.delimiter, missing=source.missing)
            table = join_table(table, further, on=other.on, prefix=other.prefix, where=place)
        return table

    def read() -> SourceTable:
        table = read_tables()
        if source.images is not None:
            table = with_images(table, source.images, image_paths(source.images, table, access=access))
        return SourceTable(table=table)

    options = source.model_dump(mode="json", exclude={"paths": True, "join": {"__all__": {"path"}}, "images": True})
    pictures: tuple[Path, ...] = ()
    if source.images is not None:
        pictures = image_paths(source.images, read_tables(), access=access)
    try:
        digests = [digest_file(path) for path in (*paths, *joined)]
        if source.images is not None:
            named = source.images.model_dump(mode="json", exclude={"path", "folder"})
            options["images"] = named | {"files": [digest_file(path) for path in pictures]}
    except OSError as error:
        raise DataAccessError(expected="readable files", found=type(error).__name__, where="data.source") from error
    return OpenedSource(
        identity={"files": digests, **options}, features=None, split=RatioSplit(), labels=frozenset(), read=read
    )
