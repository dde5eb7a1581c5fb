"""The manifest of an export: what it predicts, which route it is, where it comes from, and its files' digests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from mtnas.errors import ExportError
from mtnas.tasks import Metric, TaskKind
from mtnas.units import Transform

MANIFEST = "manifest.json"


class Part(BaseModel):
    """A part of the manifest: unknown fields are refused, and nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ExportedTask(Part):
    """A task and what the module says about it.

    ``prediction``: the probability of 1, the probability of each class, or the value in the label's unit. ``classes``
    are the label's values in the order of the outputs; of a binary label what stands for 0 and for 1, empty for plain
    zeros and ones. ``mean``, ``scale`` and ``transform`` say how a regression's label was standardised.
    """

    name: str
    kind: TaskKind
    label: str
    outputs: int
    prediction: Literal["probability", "probabilities", "value"]
    metric: Metric
    classes: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    transform: Transform = Transform.NONE


class ExportedColumn(Part):
    """A column that rows need."""

    name: str
    kind: Literal["categorical", "numeric", "dense_vector", "multi_valued", "image"]


class ExportedRoute(Part):
    """The route: its text in the names of ``model.py``, its digest, and that of the graph it belongs to."""

    text: str
    digest: str
    graph_digest: str


class ExportedMember(Part):
    """A member of an ensemble: its shares by task. ``route_digest`` is null for trees and linear models."""

    label: str
    route_digest: str | None
    shares: Mapping[str, float]


class Provenance(Part):
    """Where the weights come from. ``metrics`` by task; a figure that is not finite becomes null."""

    created_at: AwareDatetime
    job_id: str | None = None
    spec_digest: str | None = None
    data_digest: str | None = None
    seeds: tuple[int, ...] = ()
    metrics: Mapping[str, Any] = Field(default_factory=dict)
    versions: Mapping[str, str] = Field(default_factory=dict)

    @staticmethod
    def of(provenance: Mapping[str, Any]) -> Provenance:
        """Read the fields from plain values.

        Raises:
            ExportError: a field that there is not, or of another type, or no ``created_at`` with a time zone.
        """
        try:
            return Provenance.model_validate(dict(provenance))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, ("provenance", *first["loc"])))
            raise ExportError(expected=first["msg"], found=repr(first["input"])[:200], where=place) from error


class Manifest(Part):
    """Everything about an export that is not weights.

    ``files``: sha256 by name, of all files but the manifest. ``members``: of an ensemble, in the order of its module;
    its ``route`` has the ensemble's digest and the text of its heaviest network.
    """

    format: Literal[1] = 1
    tasks: tuple[ExportedTask, ...]
    columns: tuple[ExportedColumn, ...]
    route: ExportedRoute
    members: tuple[ExportedMember, ...] = ()
    num_params: int
    macs: int
    dtype: str
    torch: str
    provenance: Provenance
    files: Mapping[str, str]

    @property
    def created_at(self) -> datetime:
        """When the module was exported."""
        return self.provenance.created_at

    @staticmethod
    def read(folder: Path) -> Manifest:
        """The manifest of the export in this folder.

        Raises:
            ExportError: there is none, or it is not one of this version.
        """
        path = folder / MANIFEST
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ExportError(
                expected="a folder with a manifest", found=str(error.strerror), where=str(path.name)
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, (MANIFEST, *first["loc"])))
            raise ExportError(expected=first["msg"], found=repr(first["input"])[:200], where=place) from error

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: _finite(value) for name, value in self.model_dump(mode="json").items()}


def _finite(value: Any) -> Any:
    """The value with numbers that JSON does not have replaced by null."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
