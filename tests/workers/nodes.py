"""A Ray cluster of several local nodes that a worker joins, for tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.ray.cluster import cluster
from workers.settings import Settings

STORE_BYTES = 100 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """A head of one processor, and a second node with more of everything, some of it only said to be there."""

    ray: Any
    second: Any

    @property
    def second_id(self) -> str:
        """What places of the second node end with."""
        return str(self.second.node_id)[:8]

    def kill_second(self) -> None:
        """As if its power had failed."""
        self.ray.remove_node(self.second, allow_graceful=False)


@contextmanager
def two_nodes(home: Path, *, cpus: int, gpus: int) -> Iterator[Nodes]:
    """Two nodes, this process connected to the first. The token must be in the environment.

    Args:
        cpus: logical processors of the second node; the first has one.
        gpus: logical GPUs of the second node; no GPU needs to be there.
    """
    folder = Path(tempfile.mkdtemp(prefix="nodes-"))
    # Ray's test cluster writes its address below this folder, by default one that every user of the machine shares.
    os.environ["RAY_TMPDIR"] = str(folder)
    (folder / "ray").mkdir()
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    ray = Cluster(initialize_head=True, head_node_args=head)
    try:
        second = ray.add_node(num_cpus=cpus, num_gpus=gpus, object_store_memory=STORE_BYTES)
        ray.wait_for_nodes()
        with cluster(Settings(home=home, ray_address=ray.address)):
            yield Nodes(ray=ray, second=second)
    finally:
        ray.shutdown()
        del os.environ["RAY_TMPDIR"]
        shutil.rmtree(folder, ignore_errors=True)
