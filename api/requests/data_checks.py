"""What can be said about a request's data without reading it: names, places, and the stored profile."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mtnas.data import CATALOGUE, DataAccess, Problem, Profile, check_against_profile
from mtnas.data.data_spec import CatalogueSource, DatasetSource, DataSpec, FileSource
from mtnas.data.sources.locating import locate
from mtnas.data.sources.remote_files import check_allowed, is_remote
from mtnas.errors import DataError, NotFoundError
from mtnas.store import DatasetRecord, Store, WorkState
from mtnas.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownData:
    """What is known of the data before it is read.

    Attributes:
        source: a catalogue set or files; a registered name resolved.
        profile: of a registered set, once its job has found it.
        warnings: what is doubtful.
    """

    source: CatalogueSource | FileSource
    profile: Profile | None
    warnings: tuple[str, ...]

    @property
    def num_rows(self) -> int | None:
        """Rows, as far as known."""
        if self.profile is not None:
            return self.profile.num_rows
        if isinstance(self.source, CatalogueSource) and not self.source.options:
            return CATALOGUE[self.source.name].num_rows
        return None


def check_data(spec: DataSpec, tasks: tuple[Task, ...], *, store: Store, access: DataAccess) -> KnownData:
    """Refuse what the names and the stored profile already show to be wrong.

    Raises:
        DataError: the first thing wrong, or an ``ExceptionGroup`` of all when there are several.
    """
    source, profile, warnings = spec.source, None, []
    if isinstance(source, DatasetSource):
        access = replace(access, uploaded=store.of_owner().uploads.paths())
        record = _registered(source, store)
        profile = None if record.profile is None else Profile.from_json(record.profile)
        if profile is None:
            warnings.append(f"data set {record.name!r} is not profiled yet: its columns are checked when the job runs")
        source = (FileSource if record.source["kind"] == "file" else CatalogueSource).model_validate(record.source)
    problems = check_source(source, access=access)
    problems += check_against_profile(spec.model_copy(update={"source": source}), tasks, profile)
    errors = [problem.to_error() for problem in problems if problem.severity == "error"]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup("data", errors)
    warnings += [str(problem) for problem in problems]
    return KnownData(source=source, profile=profile, warnings=tuple(warnings))


def check_source(source: CatalogueSource | FileSource, *, access: DataAccess) -> tuple[Problem, ...]:
    """Refuse files that are not there or not below the data roots; a catalogue set checks its own options.

    Raises:
        DataAccessError: the first such file.
    """
    if isinstance(source, FileSource):
        for index, path in enumerate(source.paths):
            where = f"data.source.paths[{index}]"
            if is_remote(path):  # looked for by the job: no request waits for somebody else's network
                check_allowed(path, access=access, where=where)
            else:
                locate(path, access=access, where=where)
        for index, other in enumerate(source.join):
            access.resolve(other.path, where=f"data.source.join[{index}].path")
        return ()
    return check_against_profile(DataSpec(source=source), (), None)


def _registered(source: DatasetSource, store: Store) -> DatasetRecord:
    where = "data.source.name"
    try:
        record = store.of_owner().datasets.get(source.name)  # as the job will, whoever may see more
    except NotFoundError as error:
        raise DataError(expected="a registered data set", found=repr(source.name), where=where) from error
    if record.state is WorkState.FAILED:
        reason = (record.failure or {}).get("detail", "its profile failed")
        raise DataError(expected="a data set that could be profiled", found=str(reason), where=where)
    return record
