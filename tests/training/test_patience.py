"""Patience: who ends early ends as it would alone, and changes nothing for the others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import safetensors.torch
import torch
from torch import Tensor

from mtnas.training.pack_state import join, keep
from mtnas.training.patience import STOPPED, PatientTrainer
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings
from tests.training.problem import differences, of_candidate, routes_of_one_shape, trainer, weights_of

RECIPE = Recipe(
    batch_size=64, epochs=5, evaluate_every=2, precision="float64", schedule="constant", optimiser="muon", average=0.5
)
# The larger the rate, the earlier the best look; the last one improves to the end.
SETTINGS = tuple(
    Settings(lr=lr, seed=seed, dropout=0.1, data_seed=seed % 2)
    for seed, lr in enumerate((0.2, 2e-5, 0.3, 5e-5), start=1)
)
PATIENCE = 3


def patient(members: Sequence[int] = (0, 1, 2, 3), patience: int = PATIENCE) -> PatientTrainer:
    graph, routes = routes_of_one_shape(len(SETTINGS))

    def build(places: Sequence[int]) -> PackTrainer:
        chosen = [members[place] for place in places]
        return trainer(graph, [routes[m] for m in chosen], [SETTINGS[m] for m in chosen], RECIPE)

    return PatientTrainer(build, num_candidates=len(members), patience=patience)


def ended(pack: PatientTrainer) -> tuple[dict[str, Tensor], list[int]]:
    """Best weights and steps taken."""
    steps = [look.step for look in pack.run()]
    assert steps == sorted(steps)
    assert steps[-1] == pack.total_steps
    return {name: tensor.detach().clone() for name, tensor in pack.net.named_parameters()}, pack.steps_taken(-1)


@pytest.fixture(scope="module")
def whole() -> tuple[dict[str, Tensor], list[int]]:
    return ended(patient())


def test_some_end_early_and_some_train_to_the_end(whole: tuple[dict[str, Tensor], list[int]]) -> None:
    stopped = whole[1]
    assert stopped[3] == -1
    assert 0 < stopped[0] < stopped[2] < stopped[1]


def test_a_candidate_ends_as_it_does_alone(whole: tuple[dict[str, Tensor], list[int]]) -> None:
    for k in range(len(SETTINGS)):
        weights, stopped = ended(patient((k,)))
        assert stopped == [whole[1][k]]
        assert max(differences(weights, of_candidate(whole[0], k))) < 1e-9


def test_who_is_not_ended_trains_as_without_patience(whole: tuple[dict[str, Tensor], list[int]]) -> None:
    graph, routes = routes_of_one_shape(len(SETTINGS))
    plain = trainer(graph, routes, SETTINGS, RECIPE)
    scores = torch.stack([look.scores for look in plain.run()])
    for k, stopped in enumerate(whole[1]):
        if stopped == -1:
            assert max(differences(of_candidate(weights_of(plain), k), of_candidate(whole[0], k))) < 1e-9
        else:
            best = int(scores[: stopped // 2, k].argmax()) + 1
            assert stopped == 2 * (best + PATIENCE)


def test_endless_patience_ends_nobody() -> None:
    assert ended(patient(patience=1000))[1] == [-1] * 4


@pytest.mark.parametrize("at", [1, 5, 8])
def test_a_run_goes_on_from_its_state(whole: tuple[dict[str, Tensor], list[int]], at: int) -> None:
    first = patient()
    for number, _ in enumerate(first.run()):
        if number == at:
            break
    state = safetensors.torch.load(safetensors.torch.save({n: t.contiguous() for n, t in first.state().items()}))
    second = patient()
    second.load_state(state)
    weights, stopped = ended(second)
    assert stopped == whole[1]
    assert max(differences(weights, whole[0])) == 0


def test_candidates_go_on_from_a_rung_in_other_company(whole: tuple[dict[str, Tensor], list[int]]) -> None:
    """As halving puts packs together: those that have ended travel like the others."""
    rung = 16
    halves = [patient((0, 1)), patient((2, 3))]
    for half in halves:
        list(half.run(until=rung))
    states = [half.state() for half in halves]
    assert states[0][STOPPED].shape == (2,)
    mixed = patient((3, 0))
    mixed.load_state(join([keep(states[1], [1]), keep(states[0], [0])]))
    weights, stopped = ended(mixed)
    assert stopped == [whole[1][3], whole[1][0]]
    for position, member in enumerate((3, 0)):
        assert max(differences(of_candidate(weights, position), of_candidate(whole[0], member))) < 1e-9


def test_a_rung_sees_the_best_of_those_that_have_ended() -> None:
    pack, alone = patient(), patient((0,))
    for each in (pack, alone):
        list(each.run(until=16))
    found, expected = (each.best_metrics(("valid", "test")) for each in (pack, alone))
    for part, of_part in expected.items():
        for task, figures in of_part.items():
            for name, values in figures.items():
                assert found[part][task][name][0].item() == pytest.approx(values[0].item(), rel=1e-9), (part, name)
