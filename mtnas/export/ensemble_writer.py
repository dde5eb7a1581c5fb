"""Writing the export of an ensemble: several frozen networks and trees as one folder that runs without mtnas."""

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
from mtnas.ensembles.forest import Forest
from mtnas.ensembles.mixture import mixture
from mtnas.errors import ExportError
from mtnas.export.expected_outputs import expected_outputs, rows_as_json
from mtnas.export.exportable import check_exportable
from mtnas.export.manifest import MANIFEST, ExportedMember, ExportedRoute, Manifest, Provenance
from mtnas.export.preprocessing_tables import columns_of, preprocessing_json, vocabularies_json
from mtnas.export.readme import ensemble_readme
from mtnas.export.source.ensemble_source import ensemble_source, route_source
from mtnas.export.source.expressions import Wiring
from mtnas.export.source.weight_names import named_weights
from mtnas.export.writer import STANDALONE, VALUES, as_json, cost_of, exported_task, write_folder
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
class TreeMember:
    """The trees of one task, and their share."""

    forest: Forest
    share: float


def export_ensemble(
    folder: Path,
    *,
    digest: str,
    members: Sequence[Member],
    trees: Mapping[str, TreeMember],
    drawn: tuple[RouteGraph, Route],
    schema: DataSchema,
    tasks: Sequence[Task],
    rows: pa.Table,
    provenance: Mapping[str, Any],
) -> Manifest:
    """Write an ensemble as a folder, like ``export_module`` a route.

    Args:
        folder: where to write.
        digest: of the ensemble.
        members: its networks.
        trees: its trees, by task.
        drawn: graph and route of the drawing.
        schema: how rows became the arrays of the training.
        tasks: of all members.
        rows: a few dozen raw rows, for the outputs that ``check.py`` expects.
        provenance: fields of :class:`mtnas.export.Provenance`; ``created_at`` is needed.

    Raises:
        ExportError: shares of a task that do not add up to 1, or what ``export_module`` refuses in a member.
    """
    for task in tasks:
        total = sum(m.shares.get(task.name, 0.0) for m in members)
        total += trees[task.name].share if task.name in trees else 0.0
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
    with_trees = [task.name for task in tasks if task.name in trees]
    for place, name in enumerate(with_trees):
        tensors |= {f"trees_{place}/{key}": tensor for key, tensor in trees[name].forest.tensors().items()}
    first = in_order[0] if in_order else None
    wiring = Wiring.of(*drawn, tasks, schema) if first is None else _wiring(first, tasks, schema)
    costs = [cost_of(member.graph, member.route, member.frozen) for member in members]
    forests = [member.forest for member in trees.values()]
    examples = rows_as_json(schema, rows)
    contents |= {
        "model.py": ensemble_source(wiring, num_routes=len(groups)).encode(),
        "model.safetensors": save({name: tensor.contiguous() for name, tensor in tensors.items()}),
        "ensemble.json": as_json(_plan(tasks, in_order, trees, wiring.naming.bag_arguments)),
        "preprocessing.json": as_json(preprocessing_json(schema, bag_arguments=wiring.naming.bag_arguments)),
        "vocabularies.json": as_json(vocabularies_json(schema)),
        "route.svg": to_svg(*drawn, title=f"the heaviest network of ensemble {digest[:12]}").encode(),
        "example_rows.json": as_json(examples),
        "expected_outputs.safetensors": save(_expected(tasks, members, trees, schema, rows)),
        **{name: (files("mtnas.export.standalone") / name).read_bytes() for name in (*STANDALONE, "ensemble.py")},
        VALUES: (files("mtnas.data.columns") / VALUES).read_bytes(),
    }
    manifest = Manifest(
        tasks=tuple(exported_task(task, schema) for task in wiring.tasks),
        columns=columns_of(schema),
        route=ExportedRoute(text=drawn[1].text, digest=digest, graph_digest=drawn[0].digest),
        members=tuple(_described(in_order, trees)),
        num_params=sum(cost.num_params for cost in costs) + sum(forest.num_params for forest in forests),
        macs=sum(cost.macs for cost in costs) + sum(forest.comparisons for forest in forests),
        dtype="float32" if first is None else str(next(first.frozen.parameters()).dtype).removeprefix("torch."),
        torch=torch.__version__,
        provenance=Provenance.of(provenance),
        files={},
    )
    contents["README.md"] = ensemble_readme(manifest, examples).encode()
    digests = {name: sha256(content).hexdigest() for name, content in sorted(contents.items())}
    manifest = manifest.model_copy(update={"files": digests})
    write_folder(folder, contents | {MANIFEST: as_json(manifest.to_json())})
    return manifest


def _wiring(member: Member, tasks: Sequence[Task], schema: DataSchema) -> Wiring:
    aligned = member.frozen.alignment is not None
    return Wiring.of(member.graph, member.route, tasks, schema, aligned=aligned, settings=member.gate)


def _plan(
    tasks: Sequence[Task], members: Sequence[Member], trees: Mapping[str, TreeMember], bags: Sequence[str]
) -> dict[str, Any]:
    """What ``ensemble.json`` holds."""
    found = []
    place = 0
    for task in tasks:
        shares = [member.shares.get(task.name, 0.0) for member in members]
        grown: dict[str, Any] | None = None
        if task.name in trees:
            forest = trees[task.name].forest
            shares.append(trees[task.name].share)
            grown = {
                "place": place,
                "depth": forest.depth,
                "num_categorical": len(forest.inputs.vocabularies),
                "elements": forest.inputs.elements,
            }
            place += 1
        found.append({"name": task.name, "kind": str(task.kind), "shares": shares, "trees": grown})
    return {"tasks": found, "bags": bags}


def _expected(
    tasks: Sequence[Task],
    members: Sequence[Member],
    trees: Mapping[str, TreeMember],
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
        if task.name in trees:
            grown = trees[task.name]
            matrix = grown.forest.inputs.matrix(
                categorical=encoded.categorical, numeric=encoded.numeric, bags=encoded.bags, images=encoded.images
            )
            summed = grown.forest.outputs(torch.from_numpy(matrix))
            heard.append((summed.to(heard[0][0].dtype) if heard else summed, grown.share))
        together = torch.stack([output for output, _ in heard])
        outputs[task.name] = mixture(task, together, [share for _, share in heard]).contiguous()
    return outputs


def _described(members: Sequence[Member], trees: Mapping[str, TreeMember]) -> list[ExportedMember]:
    found = [ExportedMember(label=m.label, route_digest=m.route_digest, shares=dict(m.shares)) for m in members]
    if trees:
        shares = {name: member.share for name, member in trees.items()}
        found.append(ExportedMember(label="boosted_trees", route_digest=None, shares=shares))
    return found
