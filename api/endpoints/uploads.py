"""Uploads: files of rows that clients send, in one request or in several, before data sets are made of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from api.answers.receiving import receive_file, shown
from api.dependencies import SettingsParam, StoreParam
from mtnas.messages import Upload

router = APIRouter(prefix="/v1/uploads", tags=["data sets"])
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="sha256 of the whole file.")]
_BYTES = {"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}


@router.put("/{sha256}", openapi_extra=_BYTES)
async def send_upload(
    sha256: Digest,
    request: Request,
    store: StoreParam,
    settings: SettingsParam,
    size_bytes: Annotated[int, Query(ge=1, lt=2**63, description="Of the whole file.")],
    offset: Annotated[int, Query(ge=0, lt=2**63, description="Bytes that came before: ``received_bytes``.")] = 0,
) -> Upload:
    """Send a CSV or Parquet file, or what is still missing of it. A lost connection costs nothing that has arrived.

    ``POST /v1/datasets`` makes a data set of it: ``{"kind": "file", "paths": ["upload:SHA256"]}``.
    """
    return await receive_file(
        store, sha256, request.stream(), size_bytes=size_bytes, offset=offset, most_bytes=settings.upload_mib * 2**20
    )


@router.get("/{sha256}")
def get_upload(sha256: Digest, store: StoreParam) -> Upload:
    """How much of a file has arrived: where to go on."""
    return shown(store, store.uploads.get(sha256))


@router.delete("/{sha256}", status_code=204)
def discard_upload(sha256: Digest, store: StoreParam) -> None:
    """Forget a file that was sent; data sets that were made of it keep it. Unused ones are forgotten after a day."""
    store.uploads.discard(sha256)
