"""Writing the export of an ensemble: frozen networks, trees and linear models as a folder that runs without mtnas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from safetensors.torch import save
from torch import Tensor

from mtnas.data.encoding.encode import encode_rows
from mtnas.data.schema import DataSchema
from mtnas.ensembles.mixture import mixture
from mtnas.ensembles.task_model import Kind, TaskModel
from mtnas.errors import ExportError
from mtnas.export.expected_outputs import expected_outputs, rows_as_json
from mtnas.export.exportable import check_exportable
from mtnas.export.manifest import MANIFEST, ExportedMember, ExportedRoute, Manifest, Provenance
from mtnas.export.preprocessing_tables import columns_of, preprocessing_json, vocabularies_json
from mtnas.export.readme import ensemble_readme
from mtnas.export.source.ensemble_source import ensemble_source, route_source
from mtnas.export.source.expressions import Wiring
from mtnas.export.source.weight_names import named_weights
from mtnas.export.writer import STANDALONE, VALUES, accompanying, as_json, cost_of, exported_task, write_folder
from mtnas.routes import Route, RouteGraph, route_digest, to_svg
from mtnas.supernets import Supernet
from mtnas.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Member:
    """One network of an ensemble.

    Attributes:
        label: what it is for a reader.
        frozen: one candidate, from ``freeze``.
        route, graph: the route in the names of the graph it belongs to.
        gate: the candidate's settings of gates.
        shares: by task, of all the ensemble; tasks that do not hear it are left out.
    """

    label: str
    frozen: Supernet
    route: Route
    graph: RouteGraph
    gate: Mapping[str, float]
    shares: Mapping[str, float]

    @property
    def route_digest(self) -> str:
        """Of its route."""
        return route_digest(self.graph, self.route)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelMember:
    """Trees or a linear model of one task, and their share of what is said there."""

    task: str
    kind: Kind
    model: TaskModel
    share: float


def export_ensemble(
    folder: Path,
    *,
    digest: str,
    members: Sequence[Member],
    models: Sequence[ModelMember],
    drawn: tuple[RouteGraph, Route],
    schema: DataSchema,
    tasks: Sequence[Task],
    rows: pa.Table,
    provenance: Mapping[str, Any],
    job: Mapping[str, Any] | None = None,
    licence: str | None = None,
) -> Manifest:
    """Write an ensemble as a folder, like ``export_module`` a route.

    Args:
        folder: where to write.
        digest: of the ensemble.
        members: its networks.
        models: its members that are no networks.
        drawn: graph and route of the drawing.
        schema: how rows became the arrays of the training.
        tasks: of all members.
        rows: a few dozen raw rows, for the outputs that ``check.py`` expects.
        provenance: fields of :class:`mtnas.export.Provenance`; ``created_at`` is needed.
        job: the specification of the job that made it, for ``job.json``; ``None`` writes none.
        licence: of the data, for the model card.

    Raises:
        ExportError: shares of a task that do not add up to 1, or what ``export_module`` refuses in a member.
    """
    for task in tasks:
        total = sum(m.shares.get(task.name, 0.0) for m in members)
        total += sum(m.share for m in models if m.task == task.name)
        if abs(total - 1) > 1e-6:
            raise ExportError(expected="shares that add up to 1", found=f"{total:g}", where=f"task {task.name!r}")
    groups: dict[str, list[Member]] = {}
    for member in members:
        check_exportable(member.graph, member.route, member.frozen)
        groups.setdefault(member.route_digest + repr(sorted(member.gate.items())), []).append(member)
    in_order = [member for group in groups.values() for member in group]
    tensors: dict[str, Tensor] = {}
    contents: dict[str, bytes] = {}
    for number, group in enumerate(groups.values(), 1):
        wiring = _wiring(group[0], tasks, schema)
        named = [named_weights(member.frozen, wiring.naming, member.gate) for member in group]
        tensors |= {f"route_{number}/{name}": torch.stack([w[name] for w in named]) for name in named[0]}
        contents[f"route_{number}.py"] = route_source(wiring, digest=group[0].route_digest).encode()
    for place, fitted in enumerate(models):
        tensors |= {f"model_{place}/{key}": tensor for key, tensor in fitted.model.tensors().items()}
    first = in_order[0] if in_order else None
    wiring = Wiring.of(*drawn, tasks, schema) if first is None else _wiring(first, tasks, schema)
    costs = [cost_of(member.graph, member.route, member.frozen) for member in members]
    examples = rows_as_json(schema, rows)
    contents |= {
        "model.py": ensemble_source(wiring, num_routes=len(groups)).encode(),
        "model.safetensors": save({name: tensor.contiguous() for name, tensor in tensors.items()}),
        "ensemble.json": as_json(_plan(tasks, in_order, models, wiring.naming.bag_arguments)),
        "preprocessing.json": as_json(preprocessing_json(schema, bag_arguments=wiring.naming.bag_arguments)),
        "vocabularies.json": as_json(vocabularies_json(schema)),
        "route.svg": to_svg(*drawn, title=f"the heaviest network of ensemble {digest[:12]}").encode(),
        "example_rows.json": as_json(examples),
        "expected_outputs.safetensors": save(_expected(tasks, members, models, schema, rows)),
        **{name: (files("mtnas.export.standalone") / name).read_bytes() for name in (*STANDALONE, "ensemble.py")},
        VALUES: (files("mtnas.data.columns") / VALUES).read_bytes(),
    }
    manifest = Manifest(
        tasks=tuple(exported_task(task, schema) for task in wiring.tasks),
        columns=columns_of(schema),
        route=ExportedRoute(text=drawn[1].text, digest=digest, graph_digest=drawn[0].digest),
        members=tuple(_described(in_order, models)),
        num_params=sum(cost.num_params for cost in costs) + sum(fitted.model.num_params for fitted in models),
        macs=sum(cost.macs for cost in costs) + sum(fitted.model.operations for fitted in models),
        dtype="float32" if first is None else str(next(first.frozen.parameters()).dtype).removeprefix("torch."),
        torch=torch.__version__,
        provenance=Provenance.of(provenance),
        files={},
    )
    contents["README.md"] = ensemble_readme(manifest, examples).encode()
    contents |= accompanying(manifest, schema, job=job, licence=licence)
    digests = {name: sha256(content).hexdigest() for name, content in sorted(contents.items())}
    manifest = manifest.model_copy(update={"files": digests})
    write_folder(folder, contents | {MANIFEST: as_json(manifest.to_json())})
    return manifest


def _wiring(member: Member, tasks: Sequence[Task], schema: DataSchema) -> Wiring:
    aligned = member.frozen.alignment is not None
    return Wiring.of(member.graph, member.route, tasks, schema, aligned=aligned, settings=member.gate)


def _plan(
    tasks: Sequence[Task], members: Sequence[Member], models: Sequence[ModelMember], bags: Sequence[str]
) -> dict[str, Any]:
    """What ``ensemble.json`` holds; shares of a task are those of all networks, then of its models in their order."""
    found = []
    for task in tasks:
        own = [place for place, fitted in enumerate(models) if fitted.task == task.name]
        shares = [member.shares.get(task.name, 0.0) for member in members]
        shares += [models[place].share for place in own]
        found.append({"name": task.name, "kind": str(task.kind), "shares": shares, "models": own})
    described = [
        {
            "kind": fitted.kind,
            "num_categorical": len(fitted.model.inputs.vocabularies),
            "elements": fitted.model.inputs.elements,
            **fitted.model.plan(),
        }
        for fitted in models
    ]
    return {"tasks": found, "models": described, "bags": bags}


def _expected(
    tasks: Sequence[Task],
    members: Sequence[Member],
    models: Sequence[ModelMember],
    schema: DataSchema,
    rows: pa.Table,
) -> dict[str, Tensor]:
    """What the members themselves say together, the way training computes it."""
    encoded = encode_rows(schema, rows)
    of_members = [expected_outputs(member.frozen, schema, rows, member.gate) for member in members]
    outputs = {}
    for task in tasks:
        said_by = zip(members, of_members, strict=True)
        heard = [(said[task.name], m.shares[task.name]) for m, said in said_by if task.name in m.shares]
        for fitted in (fitted for fitted in models if fitted.task == task.name):
            matrix = fitted.model.inputs.matrix(
                categorical=encoded.categorical, numeric=encoded.numeric, bags=encoded.bags, images=encoded.images
            )
            said = fitted.model.outputs(torch.from_numpy(matrix))
            heard.append((said.to(heard[0][0].dtype) if heard else said, fitted.share))
        together = torch.stack([output for output, _ in heard])
        outputs[task.name] = mixture(task, together, [share for _, share in heard]).contiguous()
    return outputs


def _described(members: Sequence[Member], models: Sequence[ModelMember]) -> list[ExportedMember]:
    found = [ExportedMember(label=m.label, route_digest=m.route_digest, shares=dict(m.shares)) for m in members]
    for kind in dict.fromkeys(fitted.kind for fitted in models):
        shares = {fitted.task: fitted.share for fitted in models if fitted.kind == kind}
        found.append(ExportedMember(label=kind, route_digest=None, shares=shares))
    return found
