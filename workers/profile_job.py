"""Jobs of kind ``profile``: look at the data that was registered, and keep what its columns hold."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import TypeAdapter

from mtnas.data import profile
from mtnas.data.data_spec import Source
from mtnas.store import Holding, Store
from workers.settings import Settings
from workers.training_job import data_access

_SOURCES: TypeAdapter[Source] = TypeAdapter(Source)


def profile_dataset(settings: Settings, store: Store, holding: Holding, check: Callable[[], None]) -> None:
    """Profile the data set that the job names.

    Raises:
        DataError: it cannot be read.
    """
    job = holding.job
    request = job.spec
    holding.start_phase("profile")
    found = profile(
        _SOURCES.validate_python(request["source"]), access=data_access(settings, store.of_owner(job.owner))
    )
    check()
    holding.set_profile(request["dataset_id"], found.to_json(), found.digest)
