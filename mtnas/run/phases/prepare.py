"""Phase ``prepare``: read and encode the data, build the space, refuse what cannot work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from mtnas.data import DataAccess, EncodedData, load
from mtnas.errors import DataError, SpaceError, SpecError
from mtnas.routes import RouteGraph
from mtnas.routes.schemes import image_size
from mtnas.routes.schemes.by_name import ImageSize, Size
from mtnas.run.base_system import Base
from mtnas.run.context import Context
from mtnas.run.earlier_job import Earlier
from mtnas.run.executor import Executor
from mtnas.run.journal import Journal
from mtnas.spaces import SearchSpace
from mtnas.spec import JobSpec
from mtnas.supernets.products import bfloat16_pays, processor
from mtnas.tasks import Task, TaskKind


def prepare(
    spec: JobSpec,
    *,
    access: DataAccess,
    executor: Executor,
    journal: Journal,
    device: str,
    earlier: Earlier | None = None,
    base: Base | None = None,
) -> Context:
    """Everything the other phases need.

    Raises:
        DataError: the data is not what the specification says, has changed since the job that this one extends, or
            is not what the system it adds tasks to was trained on.
        SpecError: the specification cannot work with this data.
    """
    journal.start_phase("prepare")
    tasks = tuple(task.to_task() for task in spec.tasks)
    if (base is None) != (spec.base is None):
        raise SpecError(expected="the trained system that spec.base names", found="none or another", where="base")
    data = load(
        spec.data,
        tasks,
        access=access,
        encoding=None if base is None else base.encoding,
        told=lambda what, share: journal.progress({"doing": what, "share": share}),
    )
    if earlier is not None and earlier.data_digest not in (None, data.digest):
        where = f"data of job {earlier.job_id}"
        raise DataError(expected=f"data with digest {earlier.data_digest}", found=data.digest, where=where)
    tasks = tuple(label.completing(task) for task, label in zip(tasks, data.schema.labels, strict=True))
    space = space_of(spec, data, tasks)
    space.sample(np.random.default_rng(spec.seed))
    journal.event("columns", {"columns": [column.to_json() for column in data.columns]})
    for warning in data.warnings:
        journal.event("warning", {"where": warning.where, "text": str(warning)})
    if spec.training.precision == "bfloat16" and not bfloat16_pays(torch.device(device)):
        text = f"float32 is faster than bfloat16 on this processor ({processor()})"
        journal.event("warning", {"where": "training.precision", "text": text})
    parts = {name: len(rows) for name, rows in data.parts.items()}
    journal.event("prepared", {"data_digest": data.digest, "rows": parts, "inputs": data.inputs.width})
    return Context(
        spec=spec,
        tasks=tasks,
        data=data,
        space=space,
        size=size_of(space.graph),
        journal=journal,
        executor=executor,
        device=device,
        earlier=earlier,
        base=base,
    )


def space_of(spec: JobSpec, data: EncodedData, tasks: Sequence[Task]) -> SearchSpace:
    """The specification's space with its constraints and the shape of the data's inputs.

    Towers of multiclass tasks get an output for each class that the data has (``tasks``).

    Raises:
        SpecError: the space is not expanded, or its towers are not the tasks.
    """
    if spec.space.graph is None:
        raise SpecError(expected="an expanded space (a graph)", found="a catalogue name alone", where="space")
    graph = RouteGraph.from_json(spec.space.graph)
    found_out = {task.name: task.num_outputs for task in tasks if task.kind is TaskKind.MULTICLASS}
    towers = tuple(
        tower if tower.frozen else replace(tower, outputs=found_out.get(tower.task, tower.outputs))
        for tower in graph.towers
    )
    graph = replace(graph, towers=towers)
    expected = [(task.name, task.tower, task.num_outputs) for task in tasks]
    found = [(tower.task, tower.hidden, tower.outputs) for tower in graph.towers]
    if expected != found:
        raise SpaceError(expected=f"towers {expected} as the tasks say", found=str(found), where="space.graph")
    limits = spec.constraints.of_routes
    return SearchSpace(name=spec.space.name, graph=graph, constraints=limits, inputs=data.inputs)


def size_of(graph: RouteGraph) -> Size | ImageSize:
    """How large the space builds: what named routes are built like."""
    if (of_images := image_size(graph)) is not None:
        return of_images
    first = [slot for slot in graph.slots if slot.layer == 1]
    known = [block.fixed_width for slot in graph.slots for block in slot.choices]
    widest = max((width for width in known if width is not None), default=64)
    norm = all(block.norm for slot in graph.slots for block in slot.choices)
    return Size(
        layers=graph.num_layers, experts=max(len({slot.weights_of for slot in first}), 1), width=widest, norm=norm
    )


def expanded(spec: JobSpec, build: Callable[..., SearchSpace]) -> JobSpec:
    """The specification with its catalogue space and that space's own limits written out, so that it is self-contained.

    ``build`` is ``search_spaces.build``, which the core does not know.
    """
    if spec.space.graph is not None:
        return spec
    if spec.base is not None:
        graph = spec.base.graph_with([task.to_task() for task in spec.tasks])
        return spec.model_copy(update={"space": spec.space.model_copy(update={"graph": graph.to_json()})})
    space = build(spec.space.name, [task.to_task() for task in spec.tasks], spec.space.options)
    limits = space.constraints.and_also(spec.constraints.of_routes)
    changes = {"space": spec.space.model_copy(update={"graph": space.graph.to_json()})}
    return spec.model_copy(update=changes | {"constraints": spec.constraints.with_space(limits)})
