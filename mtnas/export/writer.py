"""Writing an export: a frozen, trained route as a folder that runs without mtnas."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import torch
from safetensors.torch import save

from mtnas.data.schema import DataSchema
from mtnas.errors import ExportError
from mtnas.export.expected_outputs import expected_outputs, rows_as_json
from mtnas.export.exportable import check_exportable
from mtnas.export.manifest import MANIFEST, ExportedRoute, ExportedTask, Manifest, Provenance
from mtnas.export.model_card import model_card
from mtnas.export.preprocessing_tables import columns_of, preprocessing_json, vocabularies_json
from mtnas.export.readme import readme
from mtnas.export.source.expressions import Wiring
from mtnas.export.source.module_source import model_source
from mtnas.export.source.weight_names import named_weights
from mtnas.routes import Cost, Route, RouteGraph, aligned_cost, cost, narrow, reach, route_digest, to_svg
from mtnas.supernets import Supernet
from mtnas.tasks import Task, TaskKind

STANDALONE = ("check.py", "preprocessing.py", "serve.py")
VALUES = "value_text.py"  # training reads values by this very file
PREDICTION_OF: dict[TaskKind, Literal["probability", "probabilities", "value"]] = {
    TaskKind.BINARY: "probability",
    TaskKind.MULTICLASS: "probabilities",
    TaskKind.REGRESSION: "value",
}


def export_module(
    folder: Path,
    *,
    frozen: Supernet,
    route: Route,
    graph: RouteGraph,
    schema: DataSchema,
    tasks: Sequence[Task],
    rows: pa.Table,
    provenance: Mapping[str, Any],
    gate: Mapping[str, float] | None = None,
    job: Mapping[str, Any] | None = None,
    licence: str | None = None,
) -> Manifest:
    """Write a trained route as a folder: generated module, weights, preprocessing, manifest and check.

    Equal arguments give equal bytes. The folder appears whole or not at all; an export that is already there is
    replaced.

    Args:
        folder: where to write; its parent is made if need be.
        frozen: one candidate, from ``freeze(supernet, route)``.
        route: the route in the names of ``graph``.
        graph: the graph that the route belongs to, not the narrowed one.
        schema: how rows became the arrays of the training.
        tasks: the tasks of the graph's towers.
        rows: a few dozen raw rows, for the outputs that ``check.py`` expects.
        provenance: fields of :class:`mtnas.export.Provenance`; ``created_at`` is needed.
        job: the specification of the job that made it, for ``job.json``; ``None`` writes none.
        licence: of the data, for the model card.
        gate: the candidate's settings of gates (``Settings.gate``).

    Raises:
        ExportError: arguments that do not fit together, something in the route that cannot be exported yet, weights
            or outputs that are not finite, or a folder that holds something else.
        DataError: the rows are not what the schema says.
    """
    _check_arguments(frozen, route, graph, schema, tasks)
    check_exportable(graph, route, frozen)
    source = Provenance.of(provenance)
    if folder.exists() and not (folder.is_dir() and ((folder / MANIFEST).exists() or not any(folder.iterdir()))):
        raise ExportError(expected="no folder, or one that holds an export", found="something else", where=folder.name)
    wiring = Wiring.of(graph, route, tasks, schema, aligned=frozen.alignment is not None, settings=gate)
    weights = named_weights(frozen, wiring.naming, gate)
    used = cost_of(graph, route, frozen)
    if used.num_params != sum(tensor.numel() for tensor in weights.values()):
        found = str(sum(tensor.numel() for tensor in weights.values()))
        raise ExportError(expected=f"{used.num_params} parameters", found=found, where="weights")
    digest, examples = route_digest(graph, route), rows_as_json(schema, rows)
    contents = {
        "model.py": model_source(wiring, digest=digest).encode(),
        "model.safetensors": save(weights),
        "preprocessing.json": as_json(preprocessing_json(schema, bag_arguments=wiring.naming.bag_arguments)),
        "vocabularies.json": as_json(vocabularies_json(schema)),
        "route.svg": to_svg(graph, route, title=f"route {digest[:12]}").encode(),
        "example_rows.json": as_json(examples),
        "expected_outputs.safetensors": save(expected_outputs(frozen, schema, rows, gate)),
        **{name: (files("mtnas.export.standalone") / name).read_bytes() for name in STANDALONE},
        VALUES: (files("mtnas.data.columns") / VALUES).read_bytes(),
    }
    manifest = Manifest(
        tasks=tuple(exported_task(task, schema) for task in wiring.tasks),
        columns=columns_of(schema),
        route=ExportedRoute(text=_reachable_text(graph, route), digest=digest, graph_digest=graph.digest),
        num_params=used.num_params,
        macs=used.macs,
        dtype=str(next(frozen.parameters()).dtype).removeprefix("torch."),
        torch=torch.__version__,
        provenance=source,
        files={},
    )
    contents["README.md"] = readme(manifest, examples).encode()
    contents |= accompanying(manifest, schema, job=job, licence=licence)
    digests = {name: sha256(content).hexdigest() for name, content in sorted(contents.items())}
    manifest = manifest.model_copy(update={"files": digests})
    write_folder(folder, contents | {MANIFEST: as_json(manifest.to_json())})
    return manifest


def _check_arguments(
    frozen: Supernet, route: Route, graph: RouteGraph, schema: DataSchema, tasks: Sequence[Task]
) -> None:
    num_candidates = next(frozen.parameters()).shape[0]
    if num_candidates != 1 or frozen.graph != narrow(graph, route):
        found = f"{num_candidates} candidates of " + (
            "this route" if frozen.graph == narrow(graph, route) else "another"
        )
        raise ExportError(expected="one frozen candidate of the route", found=found, where="frozen")
    if frozen.inputs != schema.inputs:
        raise ExportError(expected=f"a network for {schema.inputs}", found=str(frozen.inputs), where="schema")
    towers = {tower.task: tower.outputs for tower in graph.towers}
    outputs = {task.name: task.num_outputs for task in tasks}
    if towers != outputs or len(outputs) != len(tasks):
        raise ExportError(expected=f"tasks with outputs {towers}", found=str(outputs), where="tasks")


def cost_of(graph: RouteGraph, route: Route, frozen: Supernet) -> Cost:
    """What the network costs, matrices of an alignment included."""
    found = cost(graph, route, frozen.inputs)
    if frozen.alignment is None:
        return found
    return aligned_cost(found, num_tasks=len(graph.tasks), input_width=frozen.inputs.width)


def exported_task(task: Task, schema: DataSchema) -> ExportedTask:
    """What the manifest says of a task."""
    classes = next((label.classes for label in schema.labels if label.is_of(task)), ())
    return ExportedTask(
        name=task.name,
        kind=task.kind,
        label=task.label,
        outputs=task.num_outputs,
        prediction=PREDICTION_OF[task.kind],
        metric=task.judged_by,
        classes=classes,
        mean=task.unit.mean,
        scale=task.unit.scale,
        transform=task.unit.transform,
    )


def _reachable_text(graph: RouteGraph, route: Route) -> str:
    reached = reach(graph, route)
    return route.only(junctions=reached.junctions, slots=reached.slots).text


def accompanying(
    manifest: Manifest, schema: DataSchema, *, job: Mapping[str, Any] | None, licence: str | None
) -> dict[str, bytes]:
    """The model card, and the job's specification if there is one."""
    found = {"MODEL_CARD.md": model_card(manifest, schema, licence=licence).encode()}
    return found if job is None else found | {"job.json": as_json(job)}


def as_json(document: Any) -> bytes:
    """A JSON file."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """All files into a draft beside the folder, which then takes its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.draft-{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name, content in contents.items():
        with (draft / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    if folder.exists():
        shutil.rmtree(folder)
    draft.rename(folder)
