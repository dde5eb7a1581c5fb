"""The one error tree of mtnas.

    MtnasError
    ├── SpecError(ValueError)          a request or a setting that can never work
    │   ├── SpaceError                 a route, graph, gate or constraint that the space does not hold
    │   └── TaskError                  a task or an objective that contradicts itself
    ├── DataError(ValueError)          the data is not what the request says it is
    │   └── DataAccessError(PermissionError)   a file outside the data roots, or unreadable
    ├── TrainingError(RuntimeError)    a candidate could not be trained or evaluated
    │   ├── DivergedError              its loss or weights stopped being finite
    │   ├── OutOfMemoryError(MemoryError)      it does not fit into the device
    │   └── LostActorError             the processes that trained it died, one after the other
    ├── SearchError(RuntimeError)      a search ended without an answer
    ├── ExportError(RuntimeError)      an exported module does not do what the trained one does
    ├── StoreError(RuntimeError)       the database refused
    │   ├── OutOfDiskError             no room is left for a file or a row
    │   ├── NotFoundError(KeyError)    no such job, trial, route, export or data set
    │   ├── ConflictError              the row is in a state that does not allow this
    │   └── LeaseLostError             another worker owns the job now
    ├── QuotaError(RuntimeError)       somebody has as much as they may have; time or deleting helps
    ├── ServiceError(ConnectionError)  the service could not be reached, or refused for a reason of its own
    └── CancelledError(RuntimeError)   somebody asked for the work to stop

Every error builds its own message from typed attributes: what was expected, what was found, where.
"""

from __future__ import annotations


class MtnasError(Exception):
    """Root of every error that mtnas raises on purpose.

    Attributes:
        expected: what would have been right.
        found: what was there instead.
        where: the place, as a path into the request, file or route ("tasks[1].label", "column 'age', row 17").
    """

    def __init__(self, *, expected: str, found: str, where: str) -> None:
        self.expected = expected
        self.found = found
        self.where = where
        super().__init__(expected, found, where)

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.expected, self.found, self.where)


def _rebuild(kind: type[MtnasError], expected: str, found: str, where: str) -> MtnasError:
    """Make an error again on the other side of a process border (keyword-only constructors do not pickle)."""
    return kind(expected=expected, found=found, where=where)


class SpecError(MtnasError, ValueError):
    """A request or setting that can never work; retrying does not help."""


class SpaceError(SpecError):
    """A graph, route, gate or constraint that the space does not hold."""


class TaskError(SpecError):
    """A task or objective that contradicts itself."""


class DataError(MtnasError, ValueError):
    """The data is not what the request says it is; retrying with the same data does not help."""


class DataAccessError(DataError, PermissionError):
    """A file outside the data roots, missing, or unreadable."""


class TrainingError(MtnasError, RuntimeError):
    """A candidate could not be trained or evaluated."""


class DivergedError(TrainingError):
    """A loss or weight stopped being finite; another learning rate may help."""


class OutOfMemoryError(TrainingError, MemoryError):
    """A pack does not fit into the device; a smaller pack may help."""


class LostActorError(TrainingError):
    """The processes that trained a pack died, one after the other; the machine may be at fault, or the pack."""


class SearchError(MtnasError, RuntimeError):
    """A search ended without an answer, such as when every trial failed."""


class ExportError(MtnasError, RuntimeError):
    """An exported module does not reproduce the trained one."""


class StoreError(MtnasError, RuntimeError):
    """The database refused."""


class OutOfDiskError(StoreError):
    """No room is left for a file or a row; once there is some, a retry helps."""


class NotFoundError(StoreError, KeyError):
    """No such job, trial, route, export or data set."""


class ConflictError(StoreError):
    """The row is in a state that does not allow this."""


class LeaseLostError(StoreError):
    """Another worker owns the job now; stop at once and write nothing."""


class ServiceError(MtnasError, ConnectionError):
    """The service could not be reached, or refused for a reason of its own (no token, too large, internal)."""


class QuotaError(MtnasError, RuntimeError):
    """Somebody has as much as they may have; a retry helps once something of it is gone."""


class CancelledError(MtnasError, RuntimeError):
    """Somebody asked for the work to stop."""
