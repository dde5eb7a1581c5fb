"""METHODS.md section 9: defects of public implementations, by name, each with the lines that show it is not here."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from mtnas.run.judging.statistics import summary
from mtnas.search.specs.gradient_specs import DselectKSearch, SnrSearch
from mtnas.supernets import Supernet
from mtnas.supernets.gates import DSelectGate, HardConcreteGate
from mtnas.training.measuring.metrics import auc
from mtnas.training.recipe import Recipe
from tests.planted.instance import INPUTS, instance, searched, space_for
from tests.training.problem import arrays, with_labels
from tests.training.search_rounds import SEARCHES, SETTINGS, finished, search

ENCODE = """
import pyarrow as pa
from mtnas.data.labels import read_labels
from mtnas.tasks import Task, TaskKind
texts = ["pear", "apple", "fig", "plum", "apple", "kiwi", "lime"]
task = Task(name="t", kind=TaskKind.MULTICLASS, label="y", num_classes=6)
labels, classes = read_labels(pa.table({"y": texts}), [task])
print(labels.ravel().tolist(), classes)
"""


def test_labels_are_numbered_alike_however_texts_are_hashed() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", ENCODE],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
    assert "apple" in found.pop()


def test_transformations_of_edges_are_trained() -> None:
    """SNR-Trans: the matrices are parameters of the module, and a short training moves them all."""
    of = instance((0, 0, 1, 1))
    space = space_for(of, "snr", {"layers": 2, "subnets": 2, "width": 4, "transform": True})
    made = searched(of, space, SnrSearch(l0=0.0), recipe=Recipe(batch_size=128, epochs=1))
    fresh = Supernet(made.net.graph, INPUTS, made.weights.seeds)
    before = {name: tensor for name, tensor in fresh.named_parameters() if name.endswith("transforms")}
    after = dict(made.net.named_parameters())
    assert before
    assert all((after[name] - tensor).abs().max() > 1e-3 for name, tensor in before.items())


@pytest.mark.parametrize("name", ["reinforce", "darts"])
def test_gates_leave_their_warm_up(name: str) -> None:
    made = search(name)
    pulses = list(made.run())
    assert torch.equal(pulses[0].entropy, pulses[2].entropy)
    assert not torch.equal(pulses[0].entropy, pulses[-1].entropy)


@pytest.mark.parametrize("name", ["snr", "dselect_k", "gumbel"])
def test_the_architecture_does_not_learn_on_the_rows_of_the_weights(name: str) -> None:
    """With weights that stand still, other labels in ``train`` change nothing of it."""
    still = [replace(SETTINGS[0], lr=0.0, weight_decay=0.0)]
    other = with_labels(arrays(), "train", lambda labels: np.random.default_rng(9).permutation(labels))
    first, second = (finished(search(name, still, found=found)).state() for found in (arrays(), other))
    assert torch.equal(first["architecture.weights"], second["architecture.weights"])


def test_no_model_is_chosen_on_the_test_set() -> None:
    """Other labels in ``test`` change neither weights nor answer."""
    other = with_labels(arrays(), "test", lambda labels: labels * np.nan)
    first, second = (finished(search("reinforce", found=found)) for found in (arrays(), other))
    assert torch.equal(first.state()["weights.weights"], second.state()["weights.weights"])
    assert first.proposals(2) == second.proposals(2)


@pytest.mark.parametrize("name", ["snr", "gumbel"])
def test_nothing_is_sampled_at_evaluation(name: str) -> None:
    """Two passes over ``search`` give the same figures to the last bit."""
    made = finished(search(name))
    route = made.in_supernet(made.candidates(1)[0][0])
    first, again = (made.weights.inherited([route]) for _ in range(2))
    assert all(torch.equal(value, again[task][n]) for task, of in first.items() for n, value in of.items())


def test_the_noise_of_gates_is_sampled_and_not_among_the_parameters() -> None:
    """A hard concrete gate has one number per connection; two steps draw two values from it."""
    made = search("snr")
    for gate in (module for module in made.net.modules() if isinstance(module, HardConcreteGate)):
        assert {name for name, _ in gate.named_parameters()} == {"log_alpha"}
        assert not list(gate.buffers())
    drawn = []
    for step in (0, 1):
        made.weights.noise.at_step(step)
        drawn.append(made.weights.noise.uniform((3,)))
        assert not drawn[-1].requires_grad
    assert not torch.equal(*drawn)


def test_the_entropy_term_is_that_of_every_task() -> None:
    """Codes of every task's gate move apart from where they are without it."""
    spec = SEARCHES["dselect_k"]
    assert isinstance(spec, DselectKSearch)
    ends = []
    for weight in (0.0, 1.0):
        made = finished(search("dselect_k", searches=[spec.model_copy(update={"dselect_entropy": weight})]))
        gates = [module for module in made.net.modules() if isinstance(module, DSelectGate)]
        ends.append(torch.cat([gate.biases.detach() for gate in gates], 1)[0])
    assert len(ends[0]) == 3  # a gate per task
    assert ((ends[0] - ends[1]).abs().amax(1) > 1e-3).all()


def test_reports_are_means_over_all_retrainings_and_not_the_best() -> None:
    assert summary([0.9, 0.5, 0.1])["mean"] == pytest.approx(0.5)


def test_few_rows_without_both_labels_have_no_auc() -> None:
    """Twenty rows of one kind have no ranking: NaN, not 1 or 0.5."""
    scores = torch.linspace(-1, 1, 20)[None]
    assert auc(scores, torch.ones(20)).isnan().all()
    assert auc(scores, (torch.arange(20) >= 10).float()).item() == 1
