"""Packs: a candidate in company trains as it does alone, whatever the company; and what decides the weights kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mtnas.routes import NumberMaps, Tower
from mtnas.routes.schemes.by_name import NAMED_ROUTES, NamedRoute, Size
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.training_options import (
    AlignmentSpec,
    AuxiliarySpec,
    DynamicAverageBalancer,
    EqualBalancer,
    GdodBalancer,
    StaticBalancer,
    SvdReweighting,
    UncertaintyBalancer,
)
from mtnas.trials import Settings
from tests.training.problem import (
    INPUTS,
    TASKS,
    arrays,
    differences,
    of_candidate,
    resident,
    routes_of_one_shape,
    trained,
    trainer,
    weights_of,
    with_labels,
)

SETTINGS = (
    Settings(lr=0.01, seed=1, dropout=0.2, data_seed=3),
    Settings(lr=0.003, seed=2, dropout=0.0, weight_decay=0.1),
    Settings(lr=0.02, seed=1, dropout=0.4, task_weights={"spent": 0.5}),
    Settings(lr=0.01, seed=3, dropout=0.2, data_seed=3),
)
BATCHES = 256 // 32
SHORT = Recipe(batch_size=32, epochs=2, precision="float64")
MAPPED = (
    NumberMaps(columns=(0, 1), width=3, segments=(2, 3), places=(2, 3)),
    NumberMaps(columns=(0, 1), width=3, frequencies=2),
)
OPTIONS: dict[str, Recipe] = {
    "plain": SHORT,
    "uncertainty": replace(SHORT, balancer=UncertaintyBalancer()),
    "dynamic average": replace(SHORT, balancer=DynamicAverageBalancer(window=3)),
    "gradients": replace(SHORT, balancer=GdodBalancer()),
    "small towers": replace(SHORT, auxiliary=AuxiliarySpec(gamma=0.3)),
    "alignment": replace(SHORT, alignment=AlignmentSpec(share=0.5)),
    "muon, clipped": replace(SHORT, optimiser="muon", clip_norm=0.3),
    "average, flat cosine": replace(SHORT, average=0.9, schedule="flat_cosine"),
}


def one(settings: Settings = SETTINGS[0], recipe: Recipe = SHORT, **changes: Any) -> PackTrainer:
    """A pack of one candidate."""
    graph, routes = routes_of_one_shape(1)
    return trainer(graph, routes, [settings], recipe, **changes)


def after(steps: int, pack: PackTrainer) -> dict[str, Tensor]:
    """Weights after so many steps."""
    for look in pack.run():
        if look.step == steps:
            return weights_of(pack)
    raise AssertionError(f"no look at step {steps}")


class TestEquality:
    """Issue 5: a candidate in a pack of any K, at any position, equals the same candidate alone."""

    @pytest.mark.parametrize(
        ("precision", "steps", "bound"), [("float64", 200, 1e-9), ("float32", 10, 1e-5)], ids=["float64", "float32"]
    )
    def test_a_candidate_in_any_pack_equals_the_candidate_alone(self, precision: Any, steps: int, bound: float) -> None:
        graph, routes = routes_of_one_shape(len(SETTINGS))
        recipe = Recipe(
            batch_size=32, epochs=-(-steps // BATCHES), precision=precision, evaluate_every=steps, schedule="constant"
        )
        data = resident(dtype=torch.float64 if precision == "float64" else torch.float32)

        def weights(members: tuple[int, ...]) -> dict[str, Tensor]:
            chosen = [routes[m] for m in members]
            return after(steps, trainer(graph, chosen, [SETTINGS[m] for m in members], recipe, data=data))

        alone = {m: weights((m,)) for m in range(len(SETTINGS))}
        for members in ((0, 1, 2, 3), (3, 1, 0)):
            together = weights(members)
            for position, member in enumerate(members):
                assert max(differences(alone[member], of_candidate(together, position))) < bound

    @pytest.mark.parametrize("recipe", OPTIONS.values(), ids=OPTIONS)
    def test_options_of_training_keep_candidates_apart(self, recipe: Recipe) -> None:
        graph, routes = routes_of_one_shape(3)
        together = trained(trainer(graph, routes, SETTINGS[:3], recipe))
        for k in range(3):
            alone = trained(trainer(graph, routes[k : k + 1], SETTINGS[k : k + 1], recipe))
            assert max(differences(alone, of_candidate(together, k))) < 1e-9

    @pytest.mark.parametrize("numbers", MAPPED, ids=["curves", "waves"])
    def test_mapped_numbers_keep_candidates_apart_and_are_trained(self, numbers: NumberMaps) -> None:
        inputs = replace(INPUTS, one_hot=(1,), numbers=numbers)
        graph, routes = routes_of_one_shape(3)
        pack = trainer(graph, routes, SETTINGS[:3], SHORT, inputs=inputs)
        before = weights_of(pack)
        together = trained(pack)
        assert all((together[name] != before[name]).any() for name in before if "numbers" in name)
        for k in range(3):
            alone = trained(trainer(graph, routes[k : k + 1], SETTINGS[k : k + 1], SHORT, inputs=inputs))
            assert max(differences(alone, of_candidate(together, k))) < 1e-9

    def test_metrics_in_a_pack_are_those_of_the_candidate_alone(self) -> None:
        graph, routes = routes_of_one_shape(3)
        pack = trainer(graph, routes, SETTINGS[:3], SHORT)
        trained(pack)
        for k in range(3):
            alone = trainer(graph, routes[k : k + 1], SETTINGS[k : k + 1], SHORT)
            trained(alone)
            for task, metrics in pack.evaluate("test").items():
                for name, values in metrics.items():
                    assert values[k].item() == pytest.approx(alone.evaluate("test")[task][name][0].item(), rel=1e-9)

    @pytest.mark.parametrize("precision", ["float32", "bfloat16", "float64"])
    def test_a_step_launches_no_more_operations_for_more_candidates(self, precision: Any) -> None:
        """On a GPU; on a CPU, where launches cost nothing, the optimiser has a kernel per candidate."""
        graph, routes = routes_of_one_shape(4)
        data = resident(dtype=torch.float64 if precision == "float64" else torch.float32)
        launched = []
        for size in (2, 3, 4):
            settings = [Settings(lr=0.01 * (k + 1), dropout=0.1) for k in range(size)]
            pack = trainer(graph, routes[:size], settings, replace(SHORT, precision=precision), data=data)
            batch = next(pack._stream.epoch(0))
            with torch.no_grad(), _Counter() as optimising:
                pack._optimiser._step_whole(1.0)
            with _Counter() as measuring:
                losses, penalty = pack._objective.measure(batch, pack.selection, pack._noise)
                pack._objective.backward(pack._flat, losses, step=0, penalty=penalty)
            with _Counter() as evaluating:
                pack.evaluate("valid")
            launched.append((optimising.count, measuring.count, evaluating.count))
        assert launched[0] == launched[1] == launched[2]
        assert min(launched[0]) > 5


class _Counter(TorchDispatchMode):
    """Counts what reaches the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


class TestState:
    @pytest.mark.parametrize("recipe", OPTIONS.values(), ids=OPTIONS)
    @pytest.mark.parametrize("stop", [3, 9])
    def test_a_run_that_goes_on_from_its_state_ends_bit_by_bit_alike(self, recipe: Recipe, stop: int) -> None:
        recipe = replace(recipe, evaluate_every=3)
        graph, routes = routes_of_one_shape(3)
        whole = trainer(graph, routes, SETTINGS[:3], recipe)
        states: dict[int, bytes] = {}
        looks = {}
        for look in whole.run():
            looks[look.step] = look.scores
            states[look.step] = safetensors.torch.save({n: t.contiguous() for n, t in whole.state().items()})
        resumed = trainer(graph, routes, SETTINGS[:3], recipe)
        resumed.load_state(safetensors.torch.load(states[stop]))
        for look in resumed.run():
            assert torch.equal(look.scores, looks[look.step])
        assert max(differences(weights_of(whole), weights_of(resumed))) == 0
        for name, tensor in whole.state().items():
            assert torch.equal(tensor, resumed.state()[name]), name

    def test_the_state_of_a_finished_run_changes_nothing_more(self) -> None:
        pack = one()
        weights = trained(pack)
        again = one()
        again.load_state(pack.state())
        assert list(again.run()) == []
        assert max(differences(weights, weights_of(again))) == 0

    def test_state_is_a_copy(self) -> None:
        pack = one()
        looks = pack.run()
        next(looks)
        state = pack.state()
        before = {name: tensor.clone() for name, tensor in state.items()}
        list(looks)
        assert all(torch.equal(tensor, before[name]) for name, tensor in state.items())


class TestBestWeights:
    def test_every_candidate_keeps_the_weights_of_its_best_look(self) -> None:
        """A large constant rate makes scores jump about, so that candidates are best at different looks."""
        graph, routes = routes_of_one_shape(4)
        recipe = replace(SHORT, epochs=3, evaluate_every=2, schedule="constant")
        settings = [Settings(lr=lr, seed=seed) for seed, lr in enumerate((0.3, 0.2, 0.1, 0.01))]
        pack = trainer(graph, routes, settings, recipe)
        seen = [(look.scores, weights_of(pack)) for look in pack.run()]
        best = torch.stack([scores for scores, _ in seen]).argmax(0).tolist()
        assert len(set(best)) > 1
        assert min(best) < len(seen) - 1
        for k, look in enumerate(best):
            assert pack.best_steps[k] == min(2 * (look + 1), pack.total_steps)
            kept, wanted = of_candidate(weights_of(pack), k), of_candidate(seen[look][1], k)
            assert max(differences(kept, wanted)) == 0

    def test_the_last_weights_are_not_kept_when_they_are_worse(self) -> None:
        """Labels of ``valid`` that contradict those of ``train``: every step makes things worse."""
        found = with_labels(
            arrays(missing=0), "valid", lambda labels: np.stack([1 - labels[:, 0], -labels[:, 1], 2 - labels[:, 2]], 1)
        )
        pack = one(recipe=replace(SHORT, epochs=4), data=resident(found))
        scores = [look.scores.item() for look in pack.run()]
        assert scores[-1] < scores[0] == max(scores)
        first = one(recipe=replace(SHORT, epochs=4), data=resident(found))
        next(first.run())
        assert max(differences(weights_of(pack), weights_of(first))) == 0

    def test_the_average_of_weights_is_what_a_look_sees_and_what_is_kept(self) -> None:
        """An average that follows at once is the weights; the training itself never sees it."""
        recipe = replace(SHORT, schedule="constant", evaluate_every=5)
        plain, averaged = one(recipe=recipe), one(recipe=replace(recipe, average=0.99))
        for _ in zip(plain.run(), averaged.run(), strict=True):
            last = averaged.state()["weights"]
            assert torch.equal(plain.state()["weights"], last)
        best = averaged.state()["best_weights"]
        assert not torch.equal(best, last)
        assert torch.equal(averaged._flat.weights, best)
        own = replace(recipe, average=1e-9)
        assert max(differences(trained(one(recipe=own)), trained(one(recipe=recipe)))) < 1e-7

    def test_looking_more_often_does_not_change_the_training_itself(self) -> None:
        ends = []
        for every in (1, 5, None):
            pack = one(recipe=replace(SHORT, evaluate_every=every))
            ends.append([pack.state()["weights"] for _ in pack.run()][-1])
        assert torch.equal(ends[0], ends[1])
        assert torch.equal(ends[0], ends[2])


SETTINGS_CHANGES: Mapping[str, Any] = {
    "lr": 0.02,
    "weight_decay": 0.5,
    "dropout": 0.5,
    "seed": 7,
    "data_seed": 7,
    "gamma": 0.9,
    "task_weights": {"spent": 0.1},
}
RECIPE_CHANGES: Mapping[str, Any] = {
    "batch_size": 64,
    "epochs": 3,
    "schedule": "flat_cosine",
    "optimiser": "muon",
    "clip_norm": 0.01,
    "average": 0.9,
    "evaluate_every": 1,
    "balancer": StaticBalancer(weights={"spent": 0.1}),
    "auxiliary": None,
    "alignment": AlignmentSpec(share=0.5),
    "reweighting": SvdReweighting(),
    "own_rows": True,
    "precision": "float32",
}
# With a rate so large that the last look is not the best one.
BASE = replace(SHORT, auxiliary=AuxiliarySpec(gamma=0.3))
FAST = replace(SETTINGS[0], lr=0.2)
TESTED_ELSEWHERE = {"gate", "balancer"}  # tests of gates; tests/run/test_searched_settings_job.py


class TestHyperParameters:
    def test_no_setting_is_forgotten_here(self) -> None:
        assert {field.name for field in fields(Settings)} == SETTINGS_CHANGES.keys() | TESTED_ELSEWHERE
        assert {field.name for field in fields(Recipe)} == RECIPE_CHANGES.keys() | {
            "compiled",  # test_compiled.py
            "patience",  # test_patience.py
        }

    @pytest.mark.parametrize("name", SETTINGS_CHANGES)
    def test_every_setting_changes_the_weights(self, name: str) -> None:
        changed = replace(FAST, **{name: SETTINGS_CHANGES[name]})
        assert max(differences(trained(one(FAST, BASE)), trained(one(changed, BASE)))) > 1e-4

    @pytest.mark.parametrize("name", RECIPE_CHANGES)
    def test_every_part_of_the_recipe_changes_the_weights(self, name: str) -> None:
        data = resident(dtype=torch.float32)
        base = trained(one(FAST, BASE, data=data))
        changed = trained(one(FAST, replace(BASE, **{name: RECIPE_CHANGES[name]}), data=data))
        common = [n for n in base if n in changed]
        # Another precision has the same weights up to rounding.
        bound = 0 if name == "precision" else 1e-4
        assert any((base[n] - changed[n]).abs().max() > bound for n in common)

    def test_bfloat16_differs_from_float32_by_its_rounding_alone(self) -> None:
        data = resident(dtype=torch.float32)
        weights = [
            trained(one(recipe=replace(SHORT, precision=p, epochs=1), data=data))  # type: ignore[arg-type]
            for p in ("float32", "bfloat16")
        ]
        assert all(tensor.dtype == torch.float32 for tensor in weights[1].values())
        assert 0 < max(differences(*weights)) < 0.1

    def test_a_tasks_weight_changes_the_weights(self) -> None:
        heavier = (replace(TASKS[0], weight=3.0), *TASKS[1:])
        assert max(differences(trained(one()), trained(one(tasks=heavier)))) > 1e-4

    def test_training_on_more_parts_changes_the_weights(self) -> None:
        assert max(differences(trained(one()), trained(one(parts=("train", "search"))))) > 1e-4

    def test_same_seeds_give_the_same_weights(self) -> None:
        assert max(differences(trained(one()), trained(one()))) == 0


class TestDivergence:
    @pytest.mark.parametrize("name", ["plain", "gradients", "dynamic average", "small towers", "muon, clipped"])
    def test_a_diverging_candidate_does_not_disturb_its_neighbours(self, name: str) -> None:
        graph, routes = routes_of_one_shape(3)
        calm = trained(trainer(graph, routes, SETTINGS[:3], OPTIONS[name]))
        wild = [SETTINGS[0], replace(SETTINGS[1], lr=1e300), SETTINGS[2]]
        found = trained(trainer(graph, routes, wild, OPTIONS[name]))
        for k in (0, 2):
            assert max(differences(of_candidate(calm, k), of_candidate(found, k))) == 0

    def test_a_candidate_that_never_had_a_score_shows_that_it_diverged(self) -> None:
        """Its initial weights would look like a bad but sound result."""
        graph, routes = routes_of_one_shape(2)
        pack = trainer(graph, routes, [SETTINGS[0], replace(SETTINGS[1], lr=1e300)], SHORT)
        trained(pack)
        for metrics in pack.evaluate("test").values():
            for values in metrics.values():
                assert values.isnan().tolist() == [False, True]

    def test_a_candidate_that_diverges_late_keeps_its_best_weights(self) -> None:
        pack = one(recipe=replace(SHORT, schedule="constant"))
        looks = pack.run()
        next(looks)
        best = weights_of(pack)
        pack._flat.weights.fill_(torch.nan)
        assert next(looks).scores.isnan().all()
        list(looks)
        assert max(differences(weights_of(pack), best)) == 0


def separate() -> NamedRoute:
    """One network per task, nothing shared but the inputs' tables."""
    towers = [Tower(task=t.name, reads="", hidden=t.tower, outputs=t.num_outputs) for t in TASKS]
    return NAMED_ROUTES["single_task"](towers, Size(layers=1, experts=1, width=4))


def shared() -> NamedRoute:
    towers = [Tower(task=t.name, reads="", hidden=t.tower, outputs=t.num_outputs) for t in TASKS]
    return NAMED_ROUTES["shared_bottom"](towers, Size(layers=1, experts=1, width=4))


class TestMissingLabels:
    def test_a_loss_does_not_depend_on_the_labels_of_other_tasks(self) -> None:
        half = with_labels(arrays(), "train", lambda labels: np.where(np.arange(3) == 1, np.nan, labels))
        gradients = []
        for found in (arrays(), half):
            named = shared()
            pack = trainer(named.graph, [named.route], [SETTINGS[0]], SHORT, data=resident(found))
            pack._noise.at_step(0)
            losses, _ = pack._objective.measure(next(pack._stream.epoch(0)), pack.selection, pack._noise)
            loss = losses[0, 0] + losses[0, 2]
            gradients.append(torch.autograd.grad(loss, pack._flat.parameters, allow_unused=True))
        for first, second in zip(*gradients, strict=True):
            assert (first is None and second is None) or torch.equal(first, second)

    def test_a_task_without_labels_trains_nothing(self) -> None:
        """The same as a task of weight zero: neither its own tower nor what it shares moves for it."""
        none = with_labels(arrays(), "train", lambda labels: np.where(np.arange(3) == 1, np.nan, labels))
        settings = replace(SETTINGS[0], weight_decay=0.0)
        recipe = replace(SHORT, evaluate_every=16)
        named = shared()

        def weights(found: Any, chosen: Settings) -> dict[str, Tensor]:
            pack = trainer(named.graph, [named.route], [chosen], recipe, data=resident(found))
            return after(16, pack)

        unlabelled = weights(none, settings)
        weightless = weights(arrays(), replace(settings, task_weights={"spent": 0.0}))
        assert max(differences(unlabelled, weightless)) < 1e-12
        assert max(differences(unlabelled, weights(arrays(), settings))) > 1e-4

    def test_rows_without_a_label_leave_separate_tasks_as_they_were(self) -> None:
        some = with_labels(
            arrays(),
            "train",
            lambda labels: np.where((np.arange(3) == 1) & (np.arange(256) % 3 > 0)[:, None], np.nan, labels),
        )
        named, recipe = separate(), replace(SHORT, evaluate_every=16)
        full, holes = (
            after(16, trainer(named.graph, [named.route], [SETTINGS[0]], recipe, data=resident(found)))
            for found in (arrays(), some)
        )
        position = [t.name for t in TASKS].index("spent")
        towers = {name for name in full if name.startswith("tower_groups")}
        assert any(not torch.equal(full[name], holes[name]) for name in towers)
        for name in full:
            if name.startswith("banks"):
                others = [i for i in range(3) if i != position]
                # The embeddings are shared by all tasks, so the inputs of the other networks move a little.
                assert (full[name][:, others] - holes[name][:, others]).abs().max() < 0.1
                assert not torch.equal(full[name][:, position], holes[name][:, position])


def test_equal_weights_are_the_default() -> None:
    assert Recipe().balancer == EqualBalancer()
