"""Receiving a file: its bytes go to the disk as they come, off the event loop, and are compared with their digest."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mtnas.errors import SpecError
from mtnas.messages import Upload
from mtnas.store import Store, UploadRecord

_GATHERED_BYTES = 1 << 20


async def receive_file(
    store: Store, sha256: str, body: AsyncIterator[bytes], *, size_bytes: int, offset: int, most_bytes: int
) -> Upload:
    """Take what comes of a file that has ``offset`` bytes already; once there are ``size_bytes`` it is whole.

    Raises:
        HTTPException: it is larger than ``most_bytes`` (413).
        SpecError: more bytes than announced.
        ConflictError: another number of bytes is there, or somebody else is sending.
        DataError: the whole has another digest.
    """
    if size_bytes > most_bytes:
        raise HTTPException(413, f"{size_bytes} bytes, more than {most_bytes} (MTNAS_UPLOAD_MIB)")
    upload = await run_in_threadpool(store.uploads.begin, sha256, size_bytes=size_bytes)
    if upload.artifact is not None:
        return shown(store, upload)
    part = store.uploads.part(upload)
    async with contextmanager_in_threadpool(part.appended(offset=offset)) as file:
        received = offset
        try:
            async for chunk in _gathered(body):
                if received + len(chunk) > size_bytes:
                    found = f"at least {received + len(chunk)}"
                    raise SpecError(expected=f"{size_bytes} bytes", found=found, where="body")
                await run_in_threadpool(part.append, file, chunk)
                received += len(chunk)
        except ClientDisconnect:
            pass  # nobody hears the answer; what has come stays
        if received == size_bytes:
            upload = await run_in_threadpool(store.uploads.complete, upload)
    return await run_in_threadpool(shown, store, upload)


def shown(store: Store, upload: UploadRecord) -> Upload:
    """An upload as clients see it."""
    return Upload(
        sha256=upload.sha256,
        size_bytes=upload.size_bytes,
        received_bytes=store.uploads.received_bytes(upload),
        is_whole=upload.artifact is not None,
    )


async def _gathered(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body in pieces worth a trip to another thread; what came before it broke off is among them."""
    waiting = bytearray()
    try:
        async for chunk in body:
            waiting += chunk
            if len(waiting) >= _GATHERED_BYTES:
                yield bytes(waiting)
                waiting.clear()
    except (ClientDisconnect, HTTPException):
        if waiting:
            yield bytes(waiting)
        raise
    if waiting:
        yield bytes(waiting)
