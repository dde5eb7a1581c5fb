"""Sparse Sharing: masks come from each task alone, from the same beginning, by magnitude."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mtnas.training.searches.sparse_sharing import SparseSharingSearcher
from tests.training.problem import TASKS, arrays, with_labels
from tests.training.search_rounds import SEARCHES, SETTINGS, finished, learned, search


def searched(**changes: float) -> SparseSharingSearcher:
    made = finished(search("sparse_sharing", searches=[SEARCHES["sparse_sharing"].model_copy(update=changes)]))
    assert isinstance(made, SparseSharingSearcher)
    return made


@pytest.mark.parametrize("keep", [0.25, 0.5, 0.9])
def test_masks_keep_their_share(keep: float) -> None:
    made = searched(keep=keep)
    places = [place for _, _, place, task in made._edges if task == TASKS[0].name]
    kept = made.state()["mask"][0, places].mean()
    assert keep - 1e-6 <= kept <= keep + 2 / len(places)


def test_every_junction_keeps_a_source_however_little_is_left() -> None:
    made = searched(keep=0.01)
    (route,) = made.candidates(0)[0]
    assert min(len(mix.inputs) for _, mix in route.mixes) == 1


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_masks_shrink_in_as_many_rounds_and_weights_start_anew_in_each(rounds: int) -> None:
    made = search("sparse_sharing", searches=[SEARCHES["sparse_sharing"].model_copy(update={"rounds": rounds})])
    assert isinstance(made, SparseSharingSearcher)
    initial = made.weights.flat.weights.clone()
    sizes, restarts = [made.state()["mask"].sum().item()], 0
    for _ in made.run():
        sizes.append(made.state()["mask"].sum().item())
        restarts += torch.equal(made.weights.flat.weights, initial)
    assert len(set(sizes)) == rounds + 1
    assert sizes == sorted(sizes, reverse=True)
    assert restarts == rounds


def test_a_tasks_mask_does_not_depend_on_other_tasks_labels() -> None:
    others = np.array([0, 1, 1])
    poisoned = with_labels(
        arrays(), "train", lambda labels: np.where(others, np.random.default_rng(1).permutation(labels), labels)
    )
    first, second = (finished(search("sparse_sharing", found=found)).state()["mask"] for found in (arrays(), poisoned))
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[1:], second[1:])


def test_inherited_figures_are_each_tasks_own() -> None:
    made = searched()
    ((proposal,),) = made.proposals(3)
    metrics = made.weights.inherited([proposal.route] * len(TASKS))
    for t, task in enumerate(TASKS):
        assert proposal.inherited[task.name] == {str(n): v[t].item() for n, v in metrics[task.name].items()}


def test_magnitude_decides() -> None:
    """The component whose weights are made largest stays in every mask."""
    made = search("sparse_sharing", [replace(SETTINGS[0], lr=1e-30)])
    assert isinstance(made, SparseSharingSearcher)
    initial = made._initial["weights.weights"]
    for bank in made.net.banks.values():
        for parameter in bank.parameters():
            if parameter.dim() > 3:
                with torch.no_grad():
                    parameter[:, 2] *= 50
    initial.copy_(made.weights.flat.weights)
    finished(made)
    assert all(learned(made)[0].view(len(TASKS), -1)[t, place] for t, place in _edges_to(made, ".2."))


def _edges_to(made: SparseSharingSearcher, part: str) -> list[tuple[int, int]]:
    tasks = [task.name for task in TASKS]
    return [(tasks.index(task), place) for _, source, place, task in made._edges if part in source]
