"""A compiled pack trains as any other; that it is compiled shows in what the compiler has counted."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from torch._dynamo.utils import counters

from mtnas.routes import Tower
from mtnas.routes.schemes.by_name import NAMED_ROUTES, Size
from mtnas.training.recipe import Recipe
from mtnas.trials import Settings
from tests.training.problem import TASKS, differences, resident, trained, trainer

RECIPE = Recipe(batch_size=32, epochs=1, precision="float64")


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler on a CPU")
def test_a_compiled_pack_has_the_weights_of_another() -> None:
    """The smallest network there is: the compiler takes some ten seconds for it, and minutes for others."""
    towers = [Tower(task=task.name, reads="", hidden=(), outputs=task.num_outputs) for task in TASKS]
    named = NAMED_ROUTES["shared_bottom"](towers, Size(layers=1, width=4))
    before = counters["stats"]["unique_graphs"]
    found = [
        trained(trainer(named.graph, [named.route], [Settings()], replace(RECIPE, compiled=compiled), data=resident()))
        for compiled in (False, True)
    ]
    assert counters["stats"]["unique_graphs"] > before
    assert max(differences(*found)) < 1e-12
