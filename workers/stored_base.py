"""The trained system that a job adds tasks to, as the store has it."""

from __future__ import annotations

from mtnas.run.base_system import Base, load_base
from mtnas.spec import JobSpec
from mtnas.store import Store


def base_system(store: Store, spec: JobSpec) -> Base | None:
    """What ``spec.base`` names; ``None`` if it names nothing.

    Raises:
        NotFoundError: its job was deleted, or has not kept the weights.
    """
    if spec.base is None:
        return None
    job = store.jobs.get(spec.base.job)

    def checkpoint(name: str) -> bytes | None:
        record = store.checkpoints.get(job.id, name)
        return None if record is None else store.artifacts.path(record.artifact).read_bytes()

    return load_base(spec.base, checkpoint)
