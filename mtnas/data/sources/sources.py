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
from mtnas.data.sources.file_tables import Wanted, read_files
from mtnas.data.sources.image_files import image_paths, with_images
from mtnas.data.sources.locating import Located, locate
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
        read: its rows, of the columns that are wanted; raises DataError. A catalogue set gives them all.
    """

    identity: Any
    features: tuple[Feature, ...] | None
    split: Split
    labels: frozenset[str]
    read: Callable[[Wanted], SourceTable]


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
        read=lambda wanted: known.read(options, access),
    )


def _open_files(source: FileSource, *, access: DataAccess) -> OpenedSource:
    files = tuple(
        file
        for index, path in enumerate(source.paths)
        for file in locate(path, access=access, where=f"data.source.paths[{index}]")
    )
    joined = tuple(
        Located(path=access.resolve(other.path, where=where), where=where)
        for other, where in ((other, f"data.source.join[{index}].path") for index, other in enumerate(source.join))
    )

    def read(wanted: Wanted) -> SourceTable:
        found = read_files(source, files, joined, wanted=wanted)
        table = found.table
        if source.images is not None:
            assert isinstance(table, pa.Table)  # a source of images is never long
            table = with_images(table, source.images, image_paths(source.images, table, access=access))
        return SourceTable(
            table=table,
            reading=found.reading,
            index=found.index,
            skipped=found.skipped,
            warnings=found.warnings,
        )

    options = source.model_dump(mode="json", exclude={"paths": True, "join": {"__all__": {"path"}}, "images": True})
    pictures: tuple[Path, ...] = ()
    if source.images is not None:
        table = read_files(source, files, joined, wanted=Wanted()).table
        assert isinstance(table, pa.Table)
        pictures = image_paths(source.images, table, access=access)
    try:
        digests = [digest_file(file.path) for file in (*files, *joined)]
        if source.images is not None:
            named = source.images.model_dump(mode="json", exclude={"path", "folder"})
            options["images"] = named | {"files": [digest_file(path) for path in pictures]}
    except OSError as error:
        raise DataAccessError(expected="readable files", found=type(error).__name__, where="data.source") from error
    if any(file.partition for file in files):
        options["partitions"] = [dict(file.partition) for file in files]
    return OpenedSource(
        identity={"files": digests, **options}, features=None, split=RatioSplit(), labels=frozenset(), read=read
    )
