"""A GPU that is not there: no step waits for it or copies to it, and all that a step makes is where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException

from mtnas.routes import InputShape
from mtnas.supernets import Selection, freeze
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.step.noise import Noise
from mtnas.training.trainer import PackTrainer
from mtnas.training_options import (
    AlignedMtlBalancer,
    AlignmentSpec,
    AuxiliarySpec,
    DynamicAverageBalancer,
    FamoBalancer,
    GdodBalancer,
    GradDropBalancer,
    GradNormBalancer,
    ImtlGBalancer,
    RandomBalancer,
    UncertaintyBalancer,
)
from mtnas.trials import Settings
from tests.training import search_rounds
from tests.training.fake_device import GPU, Watch, fake_gpu
from tests.training.problem import INPUTS, arrays, routes_of_one_shape, trainer

SHORT = Recipe(batch_size=32, epochs=1)
RECIPES = {
    "plain": SHORT,
    "bfloat16": replace(SHORT, precision="bfloat16"),
    "small towers": replace(SHORT, auxiliary=AuxiliarySpec()),
    "alignment": replace(SHORT, alignment=AlignmentSpec()),
    "uncertainty": replace(SHORT, balancer=UncertaintyBalancer()),
    "dynamic average": replace(SHORT, balancer=DynamicAverageBalancer(window=1)),
    "random": replace(SHORT, balancer=RandomBalancer()),
    "famo": replace(SHORT, balancer=FamoBalancer()),
    "grad norm": replace(SHORT, balancer=GradNormBalancer()),
    "gdod": replace(SHORT, balancer=GdodBalancer()),
    "imtl-g": replace(SHORT, balancer=ImtlGBalancer()),
    "aligned": replace(SHORT, balancer=AlignedMtlBalancer()),
    "aligned, median": replace(SHORT, balancer=AlignedMtlBalancer(scale="median")),
}
SETTINGS = (Settings(dropout=0.1), Settings(seed=1, data_seed=1, weight_decay=0.1))
QUICK = {"warmup": 0.0, "rounds": 1, "roundings": 2}
LARGE = replace(INPUTS, large_table=10)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_gpu(monkeypatch):
        yield


def pack(recipe: Recipe = SHORT, inputs: InputShape = INPUTS, *, num_candidates: int = 2) -> PackTrainer:
    """One or two candidates on the device."""
    graph, routes = routes_of_one_shape(num_candidates)
    return trainer(graph, routes, SETTINGS[:num_candidates], recipe, data=ResidentData.of(arrays(), GPU), inputs=inputs)


def is_clean(watch: Watch, *, sent: int) -> bool:
    """Nothing waited, and rows were sent so often: once an epoch."""
    return watch.launches > 100 and (watch.copies, watch.sent) == ([], ["training/feeding/batches.py:sent"] * sent)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.usefixtures("gpu")
def test_no_step_of_a_pack_waits_or_copies(name: str) -> None:
    made = pack(RECIPES[name])
    with Watch() as watch:
        list(made.run(until=2))
    assert is_clean(watch, sent=1)


@pytest.mark.usefixtures("gpu")
def test_no_step_of_a_balancer_of_one_candidate_waits_or_copies() -> None:
    made = pack(replace(SHORT, balancer=GradDropBalancer()), num_candidates=1)
    with Watch() as watch:
        list(made.run(until=2))
    assert is_clean(watch, sent=1)


@pytest.mark.usefixtures("gpu")
def test_no_step_of_a_pack_with_large_tables_waits_or_copies() -> None:
    made = pack(inputs=LARGE)
    with Watch() as watch:
        list(made.run(until=2))
    assert is_clean(watch, sent=1)


@pytest.mark.usefixtures("gpu")
def test_a_run_waits_for_its_looks_alone() -> None:
    made = pack(replace(SHORT, evaluate_every=4))
    with Watch() as watch:
        looks = list(made.run())
    assert watch.copies == ["aten._to_copy.default at training/trainer.py:_look"] * len(looks)
    assert len(looks) == 2


@pytest.mark.parametrize("name", search_rounds.SEARCHES)
@pytest.mark.usefixtures("gpu")
def test_no_step_of_a_search_waits_or_copies(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_rounds, "resident", lambda *_, dtype: ResidentData.of(arrays(), GPU, dtype=dtype))
    spec = search_rounds.SEARCHES[name]
    changes = {name: value for name, value in QUICK.items() if name in type(spec).model_fields}
    made = search_rounds.search(name, SETTINGS, searches=[spec.model_copy(update=changes)] * 2, most_steps=2)
    with Watch() as watch:
        list(made.steps())
    assert made.step == 2
    assert is_clean(watch, sent=1 if name in ("one_shot", "sparse_sharing") else 2)


@pytest.mark.usefixtures("gpu")
def test_an_evaluation_does_not_wait_and_stays_on_the_device() -> None:
    made = pack()
    with Watch() as watch:
        found = made.evaluate("valid")
    assert watch.copies == []
    assert all(value.device == GPU for of_task in found.values() for value in of_task.values())


@pytest.mark.usefixtures("gpu")
def test_a_frozen_route_is_on_the_device() -> None:
    made = pack()
    _, routes = routes_of_one_shape(2)
    frozen = freeze(made.net, routes[1], candidate=1)
    assert {parameter.device for parameter in (*frozen.parameters(), *frozen.buffers())} == {GPU}
    whole = Selection.from_routes(frozen.graph, [[routes[1]]], device=GPU)
    with Watch() as watch:
        outputs = frozen(made.data.gather(torch.arange(8, device=GPU)[None]), whole)
    assert watch.copies == []
    assert all(output.device == GPU for output in outputs)


@pytest.mark.usefixtures("gpu")
def test_the_watch_sees_waits_and_copies() -> None:
    on_device = torch.ones(3, device=GPU)
    with Watch() as watch:
        on_device[[0, 1]] = 2.0
        on_device.cpu()
        on_device + torch.tensor(1.0)
        Noise(seeds=[0], dropout=[0.0], device=GPU)
    assert len(watch.copies) > 3
    assert any(line.endswith("training/step/noise.py:_index") for line in watch.copies)
    with pytest.raises(DataDependentOutputException):
        bool(on_device.any())
