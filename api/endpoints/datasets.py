"""Data sets: the catalogue's and those that were registered."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.answers.cataloguing import catalogue_datasets, find_dataset, refuse_bad_dataset, registered_dataset
from api.dependencies import AccessParam, Identifier, Limit, Offset, StoreParam, next_offset
from api.requests.schemas import NewDataset
from mtnas.messages import Dataset, DatasetPage
from mtnas.store import DatasetRecord

router = APIRouter(prefix="/v1/datasets", tags=["data sets"])


@router.get("")
def list_datasets(store: StoreParam, offset: Offset, limit: Limit = 100) -> DatasetPage:
    """The data sets of the catalogue (on the first page), then the registered ones."""
    found = store.datasets.list(limit=limit, offset=offset)
    items = tuple(registered_dataset(record) for record in found)
    items = (*(catalogue_datasets() if offset == 0 else ()), *items)
    return DatasetPage(items=items, next=next_offset(len(found), limit=limit, offset=offset))


@router.post("", status_code=202, response_model=Dataset)
def register_dataset(request: NewDataset, store: StoreParam, access: AccessParam, response: Response) -> DatasetRecord:
    """Give data a name: files below a data root, or files that were sent (``upload:SHA256``). A job profiles it."""
    refuse_bad_dataset(request.name, request.source, store=store, access=access)
    dataset, _ = store.datasets.register(request.name, request.source.model_dump(mode="json"))
    response.headers["Location"] = f"/v1/datasets/{dataset.name}"
    return dataset


@router.get("/{name}")
def get_dataset(name: Identifier, store: StoreParam) -> Dataset:
    """One data set: of the catalogue, or registered, with what its profile job found."""
    return find_dataset(name, store=store)


@router.delete("/{name}", status_code=204)
def delete_dataset(name: Identifier, store: StoreParam) -> None:
    """Delete a registered data set and the files sent for it; refused (409) while a job uses it.

    What jobs have found on it stays. Data sets never change: to replace one, delete it and register the other.
    """
    store.datasets.delete(name)
