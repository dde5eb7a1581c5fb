"""Exports: trained modules that run without mtnas."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import FileResponse

from api.dependencies import Identifier, Limit, Offset, StoreParam, next_offset
from api.requests.exporting import request_export
from mtnas.errors import ConflictError
from mtnas.messages import Export, ExportPage
from mtnas.store import ExportRecord

router = APIRouter(prefix="/v1", tags=["exports"])


@router.get("/routes/{route_id}/exports")
def list_exports(route_id: Identifier, store: StoreParam, offset: Offset, limit: Limit = 20) -> ExportPage:
    """Exports of a route, newest first."""
    found = store.exports.list(route_digest=route_id, limit=limit, offset=offset)
    items = tuple(Export.model_validate(record) for record in found)
    return ExportPage(items=items, next=next_offset(len(found), limit=limit, offset=offset))


@router.post("/routes/{route_id}/exports", status_code=202, response_model=Export)
def submit_export(
    route_id: Identifier,
    store: StoreParam,
    response: Response,
    job_id: str | None = None,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> ExportRecord:
    """Train a route as its job would and export it; the answer names the job that does it."""
    export = request_export(store, route_id, job_id=job_id, idempotency_key=idempotency_key)
    response.headers["Location"] = f"/v1/exports/{export.id}"
    return export


@router.get("/exports/{export_id}", response_model=Export)
def get_export(export_id: Identifier, store: StoreParam) -> ExportRecord:
    """One export: its state, and its manifest once it is ready."""
    return store.exports.get(export_id)


@router.get(
    "/exports/{export_id}/download",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
def download_export(export_id: Identifier, store: StoreParam) -> FileResponse:
    """The export as a zip file; the ``ETag`` is its sha256."""
    export = store.exports.get(export_id)
    if export.artifact is None:
        raise ConflictError(expected="a ready export", found=f"a {export.state} one", where=f"export {export_id}")
    name, etag = f"mtnas-{export.route_digest[:12]}.zip", {"ETag": f'"{export.artifact}"'}
    return FileResponse(
        store.artifacts.path(export.artifact), media_type="application/zip", filename=name, headers=etag
    )
