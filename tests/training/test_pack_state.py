"""Halving: who survives, in whatever company it goes on, ends as the candidate that trained alone all the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from mtnas.errors import TrainingError
from mtnas.training.pack_state import STEP, join, keep
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.training_options import (
    AlignmentSpec,
    AuxiliarySpec,
    FamoBalancer,
    GdodBalancer,
    GradVacBalancer,
    NashBalancer,
    UncertaintyBalancer,
)
from mtnas.trials import Settings
from tests.training.problem import differences, of_candidate, resident, routes_of_one_shape, trainer, weights_of

NUM_CANDIDATES = 5
SETTINGS = tuple(
    Settings(lr=0.002 * (k + 1), seed=k % 2, dropout=0.1 * k, data_seed=k % 3, weight_decay=0.01 * k, gamma=0.2 * k)
    for k in range(NUM_CANDIDATES)
)
SHORT = Recipe(batch_size=32, epochs=3, evaluate_every=4, precision="float64")
OPTIONS = {
    "plain": SHORT,
    "small towers": replace(SHORT, auxiliary=AuxiliarySpec(gamma=0.3)),
    "alignment": replace(SHORT, alignment=AlignmentSpec(share=0.5)),
    "uncertainty": replace(SHORT, balancer=UncertaintyBalancer()),
    "famo": replace(SHORT, balancer=FamoBalancer()),
    "gdod": replace(SHORT, balancer=GdodBalancer()),
    "gradvac": replace(SHORT, balancer=GradVacBalancer()),
    "nash": replace(SHORT, balancer=NashBalancer()),
}
ROUNDING = 1e-9


def pack(members: Sequence[int], recipe: Recipe) -> PackTrainer:
    """An untrained pack of some of the candidates."""
    graph, routes = routes_of_one_shape(NUM_CANDIDATES)
    data = resident(dtype=torch.float64 if recipe.precision == "float64" else torch.float32)
    return trainer(graph, [routes[m] for m in members], [SETTINGS[m] for m in members], recipe, data=data)


def resumed(members: Sequence[int], recipe: Recipe, state: dict[str, Tensor]) -> PackTrainer:
    """A pack that goes on from a state that has travelled."""
    found = pack(members, recipe)
    found.load_state(safetensors.torch.load(safetensors.torch.save(state)))
    return found


def run(trained: PackTrainer, until: int | None = None) -> dict[str, Tensor]:
    for _ in trained.run(until=until):
        pass
    return trained.state()


def survivors(recipe: Recipe, rungs: Sequence[tuple[int, Sequence[int]]]) -> PackTrainer:
    """Train all in packs of two and three, keep at every rung whom it names, and go on with them in one pack."""
    packs = [(0, 1), (2, 3, 4)]
    states = [pack(members, recipe).state() for members in packs]
    for step, kept in rungs:
        cut = []
        for members, state in zip(packs, states, strict=True):
            found = run(resumed(members, recipe, state), until=step)
            cut.append(keep(found, [place for place, member in enumerate(members) if member in kept]))
        packs, states = [tuple(m for members in packs for m in members if m in kept)], [join(cut)]
    last = resumed(packs[0], recipe, states[0])
    run(last)
    return last


@pytest.mark.parametrize("recipe", OPTIONS.values(), ids=OPTIONS)
def test_survivors_of_two_rungs_end_as_they_would_have_alone(recipe: Recipe) -> None:
    found = survivors(recipe, [(8, (1, 2, 4)), (16, (1, 4))])
    for position, member in enumerate((1, 4)):
        alone = pack((member,), recipe)
        run(alone)
        assert max(differences(weights_of(alone), of_candidate(weights_of(found), position))) < ROUNDING
        for name, tensor in keep(found.state(), [position]).items():
            assert torch.allclose(tensor.double(), alone.state()[name].double(), atol=1e-8, rtol=1e-8), name


@pytest.mark.parametrize(
    ("precision", "steps", "bound"), [("float64", 200, 1e-9), ("float32", 10, 1e-5)], ids=["float64", "float32"]
)
def test_survivors_equal_the_candidates_alone_to_the_promised_bounds(precision: Any, steps: int, bound: float) -> None:
    """Float64 1e-9 after 200 steps, float32 1e-5 after 10 steps, after any number of halvings, at usual rates."""
    recipe = Recipe(
        batch_size=32,
        epochs=-(-steps // 8),
        precision=precision,
        evaluate_every=max(1, steps // 20),
        schedule="constant",
    )
    cuts = [(steps // 5, (0, 1, 3, 4)), (2 * steps // 5, (0, 3, 4)), (3 * steps // 5, (0, 4))]
    packs: tuple[int, ...] = tuple(range(NUM_CANDIDATES))
    state = pack(packs, recipe).state()
    for step, kept in [*cuts, (steps, (0, 4))]:
        state = keep(run(resumed(packs, recipe, state), until=step), [packs.index(member) for member in kept])
        packs = kept
    found = resumed(packs, recipe, state)
    for position, member in enumerate(packs):
        alone = pack((member,), recipe)
        run(alone, until=steps)
        assert max(differences(weights_of(alone), of_candidate(weights_of(found), position))) < bound


def test_a_stop_at_a_rung_changes_nothing() -> None:
    whole, stopped = pack((0, 3), SHORT), pack((0, 3), SHORT)
    run(whole)
    for step in (4, 9, 16):
        assert int(run(stopped, until=step)[STEP]) == step
    run(stopped)
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, stopped.state()[name]), name


def test_at_a_rung_the_best_weights_so_far_are_shown_and_training_goes_on_from_the_last() -> None:
    """A rate so large that a later look is worse."""
    recipe = replace(SHORT, schedule="constant", evaluate_every=2)
    graph, routes = routes_of_one_shape(1)
    wild = trainer(graph, routes, [Settings(lr=0.3)], recipe)
    seen = [(float(look.scores[0]), weights_of(wild)) for look in wild.run(until=12)]
    best = max(range(len(seen)), key=lambda place: seen[place][0])
    assert best < len(seen) - 1
    with wild.holding_best():
        assert max(differences(weights_of(wild), seen[best][1])) == 0
    assert max(differences(weights_of(wild), seen[-1][1])) == 0


def test_a_candidate_without_a_score_shows_at_a_rung_that_it_diverged() -> None:
    graph, routes = routes_of_one_shape(1)
    lost = trainer(graph, routes, [Settings(lr=1e300)], SHORT)
    run(lost, until=8)
    with lost.holding_best():
        assert all(values.isnan().all() for metrics in lost.evaluate("valid").values() for values in metrics.values())


def test_states_of_different_steps_or_shapes_do_not_join() -> None:
    early, late = pack((0,), SHORT), pack((1,), SHORT)
    run(late, until=4)
    for wrong in (late.state(), {name: tensor for name, tensor in early.state().items() if name != "momentum"}):
        with pytest.raises(TrainingError):
            join([early.state(), wrong])
    with pytest.raises(TrainingError):
        join([])


@pytest.mark.parametrize("resumes", [False, True])
def test_metrics_of_the_best_weights_are_those_of_an_evaluation(resumes: bool) -> None:
    """On ``valid`` they were seen at the looks, unless a state was loaded; one candidate never has a score."""
    recipe = replace(SHORT, schedule="constant", evaluate_every=2)
    graph, routes = routes_of_one_shape(3)
    lrs = (0.3, 0.01, 1e300)
    found = trainer(graph, routes, [Settings(lr=lr) for lr in lrs], recipe)
    run(found, until=8)
    if resumes:
        state = found.state()
        found = trainer(graph, routes, [Settings(lr=lr) for lr in lrs], recipe)
        found.load_state(state)
    for until in (12, None):
        run(found, until=until)
        shown = found.best_metrics(("valid", "test"))
        with found.holding_best():
            for part, metrics in shown.items():
                for task, values in found.evaluate(part).items():
                    for name, value in values.items():
                        assert torch.equal(metrics[task][name].nan_to_num(-9.0), value.nan_to_num(-9.0)), (
                            part,
                            task,
                            name,
                        )
