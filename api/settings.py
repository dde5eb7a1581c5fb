"""Settings of the web process, read once from the environment (prefix ``MTNAS_``)."""

from __future__ import annotations

import ipaddress
import json
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from mtnas.places import Places, describe, split_commas
from mtnas.store import Quota


class Settings(Places):
    """How the web process listens and what it lets through.

    Attributes:
        host: address to listen on; any but a loopback address needs tokens.
        port: port to listen on; 0 takes any that is free.
        token_hashes: sha256 (hex) of the bearer tokens that may come in; empty: no token is asked, loopback only.
        allowed_hosts: names a ``Host`` header may carry besides the loopback ones and ``host``.
        allowed_origins: origins a browser may send changes from besides the service's own.
        rate_per_s: requests a second that one token may send for long; others are told 429.
        rate_burst: requests that it may send at once after a rest.
        quota_active_jobs: jobs of one owner that have not ended; more are told 429. Quotas do not bind admins.
        quota_device_seconds: that trials of one owner's jobs of the last 30 days may have taken.
        quota_mib: what files of one owner's jobs, data sets and uploads may take.
        reap_s: seconds between two looks for jobs whose workers are gone.
        root_path: where a reverse proxy puts the service, as ``/mtnas``; whether it strips that does not matter.
        trusted_proxies: addresses whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` count. A proxy on this machine
            is one by default, so that what it hands on does not look as if it came from here.
        max_body_bytes: largest request body.
        upload_mib: largest file that clients may send, in one request or in several.
        body_wait_s: seconds without a byte of a body that has begun, after which the request is given up.
        events_poll_s: seconds between two looks for new events of a job.
        events_heartbeat_s: seconds of silence after which an event stream sends a comment.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    token_hashes: Annotated[tuple[str, ...], NoDecode] = ()
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    root_path: Annotated[str, Field(pattern=r"^(/[\w.~-]+)*$")] = ""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.1", "::1")
    rate_per_s: Annotated[float, Field(gt=0)] = 50.0
    rate_burst: Annotated[int, Field(ge=1)] = 200
    quota_active_jobs: Annotated[int | None, Field(ge=1)] = 100
    quota_device_seconds: Annotated[float | None, Field(gt=0)] = None
    quota_mib: Annotated[int | None, Field(ge=1)] = None
    reap_s: Annotated[float, Field(gt=0)] = 15.0
    max_body_bytes: Annotated[int, Field(ge=1024)] = 2**20
    upload_mib: Annotated[int, Field(ge=1)] = 4096
    body_wait_s: Annotated[float, Field(gt=0)] = 30.0
    events_poll_s: Annotated[float, Field(gt=0)] = 0.5
    events_heartbeat_s: Annotated[float, Field(gt=0)] = 15.0

    @field_validator("token_hashes", "allowed_hosts", "allowed_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return split_commas(value)

    @property
    def quota(self) -> Quota:
        """What one owner may have."""
        return Quota(
            active_jobs=self.quota_active_jobs,
            device_seconds=self.quota_device_seconds,
            size_bytes=None if self.quota_mib is None else self.quota_mib * 2**20,
        )


def is_loopback(host: str) -> bool:
    """Whether an address or host name stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    print(json.dumps(describe(Settings())))
