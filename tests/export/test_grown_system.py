"""A task added to a trained system: the export of the old tasks alone is the same before and after, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.data import encode_rows
from mtnas.export import export_module
from mtnas.export.expected_outputs import UnlabelledRows, expected_outputs
from mtnas.routes import NAMED_ROUTES, Route, RouteGraph, Tower
from mtnas.routes.building.extend import with_tasks
from mtnas.routes.reach import task_path
from mtnas.routes.schemes.by_name import Size
from mtnas.spaces import SearchSpace
from mtnas.supernets import Supernet, freeze, freeze_part, start_from
from mtnas.tasks import Task
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.trained_network import Trained
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings
from tests.export.cases import PROVENANCE, TASKS, import_export, mixed_schema, mixed_table, towers

TABLE = mixed_table(240)
SCHEMA = mixed_schema(TABLE)
OLD, NEW = TASKS[:2], TASKS[2]


def rows(tasks: Sequence[Task]) -> ResidentData:
    """Encoded rows with labels that depend on the inputs, for this many tasks."""
    encoded = UnlabelledRows.of(encode_rows(SCHEMA, TABLE))
    signal, known = encoded.numeric[:, 0], encoded.categorical[:, 0]
    labels = np.stack([signal > 0, known % 3, signal + known], 1)[:, : len(tasks)]
    cuts = np.split(np.arange(len(labels)), [120, 150, 190])
    parts = dict(zip(("train", "search", "valid", "test"), cuts, strict=True))
    return ResidentData.of(replace(encoded, labels=labels.astype(np.float32), parts=parts), torch.device("cpu"))


def trained_pack(
    graph: RouteGraph, routes: Sequence[Route], tasks: Sequence[Task], begun: Trained | None
) -> PackTrainer:
    """A pack after all its steps."""
    trainer = PackTrainer(
        graph=graph,
        inputs=SCHEMA.inputs,
        routes=routes,
        settings=[Settings(lr=0.02, weight_decay=0.1, dropout=0.1, seed=seed) for seed in range(len(routes))],
        tasks=TASKS[: len(tasks)],
        data=rows(tasks),
        recipe=Recipe(batch_size=32, epochs=3),
        parts=("train",),
        trained=begun,
    )
    for _ in trainer.run():
        pass
    return trainer


def exported(folder: Path, frozen: Supernet, graph: RouteGraph, route: Route) -> dict[str, bytes]:
    """All files of the old tasks' export."""
    export_module(
        folder,
        frozen=frozen,
        route=route,
        graph=graph,
        schema=SCHEMA,
        tasks=OLD,
        rows=TABLE.slice(0, 24),
        provenance=PROVENANCE,
    )
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def module_outputs(folder: Path) -> dict[str, Tensor]:
    """What the exported module itself says about its example rows."""
    model, preprocessing = import_export(folder).load()
    rows = json.loads((folder / "example_rows.json").read_text())
    with torch.no_grad():
        found: dict[str, Tensor] = model(**model.tensors(preprocessing(rows)))
    return found


def reading_both(graph: RouteGraph, seed: int) -> Route:
    """A route in which the new task reads frozen sub-networks and trains some of its own."""
    space, rng = SearchSpace(name="grown", graph=graph), np.random.default_rng(seed)
    slots = graph.slot_of()
    while True:
        route = space.sample(rng)
        path = task_path(graph, route, NEW.name).slots
        if {slots[name].frozen for name in path} == {True, False}:
            return route


@pytest.mark.parametrize("name", ["mmoe", "ple", "full_sharing", "cross_stitch"])
def test_the_old_tasks_export_is_byte_identical_after_a_task_was_added(name: str, tmp_path: Path) -> None:
    named = NAMED_ROUTES[name](towers(OLD), Size(layers=2, experts=3, width=8))
    begun = trained_pack(named.graph, [named.route, named.route], OLD, None)
    system = freeze(begun.net, named.route, candidate=1)
    before = exported(tmp_path / "before", system, named.graph, named.route)

    tower = Tower(task=NEW.name, reads="", hidden=NEW.tower, outputs=NEW.num_outputs)
    grown = with_tasks(named.graph, named.route, [tower])
    routes = [reading_both(grown, seed) for seed in range(3)]
    later = trained_pack(grown, routes, TASKS, Trained.of(system))
    learned = {name: p for name, p in later.net.named_parameters() if p.requires_grad}
    assert any(not torch.equal(p, q) for p, q in zip(learned.values(), _untrained(grown, system), strict=True))
    expected = expected_outputs(system, SCHEMA, TABLE)
    for k, route in enumerate(routes):
        alone = freeze_part(later.net, named.graph, named.route, candidate=k)
        assert exported(tmp_path / f"after-{k}", alone, named.graph, named.route) == before
        whole = expected_outputs(freeze(later.net, route, candidate=k), SCHEMA, TABLE)
        for task in OLD:
            torch.testing.assert_close(whole[task.name], expected[task.name], rtol=0, atol=1e-6)
    first, again = module_outputs(tmp_path / "before"), module_outputs(tmp_path / "after-0")
    assert all(torch.equal(first[task.name], again[task.name]) for task in OLD)


def _untrained(graph: RouteGraph, system: Supernet) -> list[Tensor]:
    """Trainable parameters of the grown graph before any step, of three candidates."""
    net = Supernet(graph, SCHEMA.inputs, range(3))
    start_from(net, system)
    return [parameter for parameter in net.parameters() if parameter.requires_grad]
