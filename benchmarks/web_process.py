"""How long hostile requests hold up others, and what idle event streams take: a real web process over loopback.

``python -m benchmarks.web_process`` prints a line a case. Other load on the machine adds to every figure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from mtnas.client import Client
from mtnas.errors import ServiceError

PORT, NUM_STREAMS, WATCHED_S = 8977, 200, 10.0
PLANTED = {"source": {"kind": "catalogue", "name": "planted", "options": {"kind": "binary", "rows": 400}}}
SMALL: dict[str, Any] = {
    "name": "small",
    "data": PLANTED,
    "tasks": [{"name": "a", "kind": "binary", "label": "task_0"}],
    "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 8}},
}
MANY = [{"name": f"t{n}", "kind": "binary", "label": "task_0"} for n in range(256)]
HOSTILE: Mapping[str, dict[str, Any]] = {
    "60,000 empty tasks": {"tasks": [{}] * 60_000},
    "300,000 empty tasks": {"tasks": [{}] * 300_000},
    "256 tasks, space joint": {"tasks": MANY, "space": {"name": "joint"}},
    "256 tasks, largest joint": {"tasks": MANY, "space": {"name": "joint", "options": {"layers": 8, "components": 32}}},
    "200,000 learning rates": {"training": {"lr": {"grid": [0.1] * 200_000}}},
}


def main() -> None:
    """Measure and print."""
    with serving() as (url, process):
        for name, changes in HOSTILE.items():
            print(f"{name}: {hostile(url, SMALL | changes)}", flush=True)
        print(f"{NUM_STREAMS} idle event streams: {idle_streams(url, process):.1f} % of a core", flush=True)


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """A fresh service: its address and process."""
    with TemporaryDirectory() as home:
        environment = os.environ | {"MTNAS_HOME": home, "MTNAS_PORT": str(PORT)}
        process = subprocess.Popen([sys.executable, "-m", "api"], env=environment)
        url = f"http://127.0.0.1:{PORT}"
        try:
            with Client(url) as client:
                while True:
                    try:
                        client.ready()
                        break
                    except ServiceError:
                        time.sleep(0.1)
            yield url, process.pid
        finally:
            process.terminate()
            process.wait(30)


def hostile(url: str, document: Mapping[str, Any]) -> str:
    """What became of a request, and the longest that a look at ``/healthz`` took meanwhile."""
    body = json.dumps(document, separators=(",", ":"))
    looks_s: list[float] = []
    done = threading.Event()

    def look() -> None:
        with httpx.Client(base_url=url, trust_env=False) as http:
            while not done.wait(0.005):
                began = time.monotonic()
                http.get("/healthz")
                looks_s.append(time.monotonic() - began)

    looking = threading.Thread(target=look)
    looking.start()
    began = time.monotonic()
    answer = httpx.post(
        f"{url}/v1/jobs?validate_only=true",
        content=body,
        headers={"Content-Type": "application/json"},
        timeout=600,
        trust_env=False,
    )
    took_s = time.monotonic() - began
    done.set()
    looking.join()
    return (
        f"{len(body) / 2**20:.2f} MiB, {answer.status_code} in {took_s:.2f} s, {len(answer.content)} bytes back, "
        f"longest /healthz {max(looks_s) * 1000:.0f} ms"
    )


def idle_streams(url: str, process: int) -> float:
    """Per cent of a core that the web process takes while so many streams have nothing to tell."""
    job = httpx.post(f"{url}/v1/jobs", json=SMALL, trust_env=False).json()["id"]

    def follow() -> None:
        with httpx.stream("GET", f"{url}/v1/jobs/{job}/events", timeout=None, trust_env=False) as answer:
            for _ in answer.iter_bytes():
                pass

    for _ in range(NUM_STREAMS):
        threading.Thread(target=follow, daemon=True).start()
    time.sleep(WATCHED_S)  # until all are open and have heard what there is
    before = _processor_s(process)
    time.sleep(WATCHED_S)
    taken = 100 * (_processor_s(process) - before) / WATCHED_S
    httpx.post(f"{url}/v1/jobs/{job}:cancel", trust_env=False)
    return taken


def _processor_s(process: int) -> float:
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
