"""planted: tasks in clusters whose relations are known, by the generator of the MMoE paper (PROTOCOL.md point 7).

Ma et al., KDD 2018, section 3.2: ``y = w.x + sum_i sin(a_i w.x + b_i) + noise`` with x from N(0, I) and tasks whose
unit directions w have cosine p. Here every cluster has a direction, any two with cosine p, and its tasks share it (or
have cosine ``within``). We write ``w_k = sqrt(p) g + sqrt(1 - p) u_k`` with orthonormal g, u_k, which for two clusters
is their construction up to a rotation and also serves more than two. a, b from N(0, 1) as in the PLE paper.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mtnas.data.access import DataAccess
from mtnas.data.catalogue.catalogue_set import CatalogueSet, SourceTable
from mtnas.data.data_spec import Feature, Part, RatioSplit
from mtnas.tasks import Task, TaskKind

_FORMAT = 1  # of the generator; part of the identity
_INPUTS, _WAVES, _DIRECTION, _NOISE, _LABELLED = range(5)  # streams of random numbers


class PlantedOptions(Part):
    """What to plant.

    ``correlation``: cosine between the directions of two clusters (p of the paper). ``within``: cosine between tasks
    of one cluster. ``noise``: standard deviation of the label's noise. ``waves``: sines in a label. ``labelled``:
    share of rows that a task has a label for. ``assignment``: each task's cluster; by default blocks of equal size.
    A task's labels depend on its number, its cluster and the seed, not on how many tasks or clusters there are.
    """

    num_tasks: Annotated[int, Field(ge=1, le=256)] = 4
    clusters: Annotated[int, Field(ge=1)] = 2
    assignment: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    correlation: Annotated[float, Field(ge=0, le=1)] = 0.0
    within: Annotated[float, Field(ge=0, le=1)] = 1.0
    kind: Literal["regression", "binary"] = "regression"
    noise: Annotated[float, Field(ge=0, le=100)] = 0.1
    waves: Annotated[int, Field(ge=0, le=1000)] = 10
    labelled: Annotated[float, Field(gt=0, le=1)] = 1.0
    rows: Annotated[int, Field(ge=100, le=10_000_000)] = 20_000
    dims: Annotated[int, Field(ge=2, le=4096)] = 32
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _fits_together(self) -> PlantedOptions:
        if self.clusters > self.num_tasks:
            raise ValueError(f"at most as many clusters as tasks, found {self.clusters} > {self.num_tasks}")
        if self.assignment is not None:
            if len(self.assignment) != self.num_tasks:
                raise ValueError(f"an assignment of {self.num_tasks} tasks, found {len(self.assignment)}")
            if set(self.assignment) != set(range(self.clusters)):
                raise ValueError(f"an assignment that uses clusters 0 to {self.clusters - 1}, found {self.assignment}")
        needed = 1 + self.clusters + (self.num_tasks if self.within < 1 else 0)
        if self.dims < needed:
            raise ValueError(f"dims of at least {needed} for so many orthogonal directions, found {self.dims}")
        if self.rows * self.dims > 2**30:
            raise ValueError(f"rows * dims of at most 2**30, found {self.rows * self.dims}")
        return self

    @property
    def cluster_of_task(self) -> tuple[int, ...]:
        """Each task's cluster."""
        if self.assignment is not None:
            return self.assignment
        return tuple(task * self.clusters // self.num_tasks for task in range(self.num_tasks))


def _tasks(options: PlantedOptions) -> tuple[Task, ...]:
    kind = TaskKind(options.kind)
    return tuple(Task(name=f"task_{i}", kind=kind, label=f"task_{i}") for i in range(options.num_tasks))


def _features(_: PlantedOptions) -> tuple[Feature, ...]:
    return (Feature(column="x", kind="dense_vector"),)


def _split(_: PlantedOptions) -> RatioSplit:
    return RatioSplit(valid=0.15, test=0.15)


def _identity(options: PlantedOptions, _: DataAccess) -> object:
    return {"format": _FORMAT, **options.model_dump(mode="json")}


def _read(options: PlantedOptions, _: DataAccess) -> SourceTable:
    inputs = np.random.default_rng([options.seed, _INPUTS]).standard_normal((options.rows, options.dims), np.float32)
    directions_TD = _directions(options)
    columns: dict[str, Any] = {
        "x": pa.FixedSizeListArray.from_arrays(pa.array(inputs.ravel()), options.dims),
    }
    for task, direction_D in enumerate(directions_TD):
        labels = _labels(inputs @ direction_D.astype(np.float32), options, task=task)
        unlabelled = _stream(options, _LABELLED, task).random(options.rows) >= options.labelled
        columns[f"task_{task}"] = pa.array(labels, mask=unlabelled)
    truth = {
        "clusters": list(options.cluster_of_task),
        "correlation": options.correlation,
        "cosines": np.round(directions_TD @ directions_TD.T, 12).tolist(),
    }
    return SourceTable(table=pa.table(columns), truth=truth)


def _directions(options: PlantedOptions) -> NDArray[np.float64]:
    """Each task's unit direction, ``[T, dims]``."""
    own = options.num_tasks if options.within < 1 else 0
    count = 1 + options.clusters + own
    drawn = [_stream(options, _DIRECTION, index).standard_normal(options.dims) for index in range(count)]
    orthonormal = np.linalg.qr(np.stack(drawn, axis=1))[0].T
    common, cluster, task = np.split(orthonormal, [1, 1 + options.clusters])
    directions = np.sqrt(options.correlation) * common + np.sqrt(1 - options.correlation) * cluster
    directions = directions[list(options.cluster_of_task)]
    if own:
        directions = np.sqrt(options.within) * directions + np.sqrt(1 - options.within) * task
    return np.asarray(directions)


def _labels(
    projected: NDArray[np.float32], options: PlantedOptions, *, task: int
) -> NDArray[np.float64] | NDArray[np.int8]:
    frequencies, phases = _stream(options, _WAVES, 0).standard_normal((2, options.waves))
    values = projected.astype(np.float64)
    labels = values + _stream(options, _NOISE, task).standard_normal(options.rows) * options.noise
    for frequency, phase in zip(frequencies, phases, strict=True):
        labels += np.sin(frequency * values + phase)
    return (labels > np.median(labels)).astype(np.int8) if options.kind == "binary" else labels


def _stream(options: PlantedOptions, stream: int, index: int) -> np.random.Generator:
    return np.random.default_rng([options.seed, stream, index])


PLANTED = CatalogueSet(
    name="planted",
    title="Generated tasks in known clusters",
    description=(
        "Tasks whose labels are waves over a direction in the input space; tasks of a cluster share the direction, and "
        "the cosine between clusters is an option. The clusters are known, so a search can be judged by whether it "
        "finds them. Split at random: 70 % training, 15 % valid, 15 % test."
    ),
    licence="generated",
    citation="Ma et al., Modeling Task Relationships in Multi-task Learning with MMoE, KDD 2018, section 3.2.",
    homepage=None,
    num_rows=20_000,
    options=PlantedOptions,
    tasks=_tasks,
    labels=_tasks,
    features=_features,
    split=_split,
    identity=_identity,
    read=_read,
)
