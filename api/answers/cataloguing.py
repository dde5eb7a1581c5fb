"""Data sets as the API shows and takes them: the public ones of the catalogue beside the registered ones."""

from __future__ import annotations

from dataclasses import replace

from api.requests.data_checks import check_source
from mtnas.data import CATALOGUE, DataAccess, Profile
from mtnas.data.data_spec import CatalogueSource, FileSource
from mtnas.data.profiles.proposed_tasks import proposed_tasks
from mtnas.errors import ConflictError
from mtnas.messages import Dataset
from mtnas.store import DatasetRecord, Store


def catalogue_datasets() -> tuple[Dataset, ...]:
    """Every set of the catalogue under its default options."""
    return tuple(_catalogue_dataset(name) for name in CATALOGUE)


def find_dataset(name: str, *, store: Store) -> Dataset:
    """A set of the catalogue, or a registered one by its name or id.

    Raises:
        NotFoundError: there is none.
    """
    return _catalogue_dataset(name) if name in CATALOGUE else registered_dataset(store.datasets.get(name))


def registered_dataset(record: DatasetRecord) -> Dataset:
    """A registered set, with the tasks that its columns suggest."""
    if record.profile is None:
        return Dataset.model_validate(record)
    proposed = proposed_tasks(Profile.from_json(record.profile))
    return Dataset.model_validate(record).model_copy(update={"suggested_tasks": tuple(proposed)})


def refuse_bad_dataset(name: str, source: CatalogueSource | FileSource, *, store: Store, access: DataAccess) -> None:
    """Refuse names of the catalogue, files that may not be read, and options that a catalogue set does not have.

    Raises:
        ConflictError: the name is taken.
        DataError: the source can never be read.
    """
    if name in CATALOGUE:
        raise ConflictError(expected="a name that is not in the catalogue", found=repr(name), where="name")
    access = replace(access, uploaded=store.of_owner().uploads.paths())
    for problem in check_source(source, access=access):
        raise problem.to_error()


def _catalogue_dataset(name: str) -> Dataset:
    described = CATALOGUE[name].describe()
    return Dataset(
        name=name,
        kind="catalogue",
        source={"kind": "catalogue", "name": name},
        state="ready",
        about={key: value for key, value in described.items() if key != "name"},
    )
