"""Launches do not grow with K inside a signature: counted for gates, streams, a Gram balancer and a gradient search."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import search_spaces
from mtnas.routes import canonical_route, shape_graph
from mtnas.training.recipe import Recipe
from mtnas.training.searches.gradient import GradientSearcher
from mtnas.training_options import BalancerSpec, EqualBalancer, GdodBalancer
from mtnas.trials import Settings
from tests.training.problem import INPUTS, TASKS, resident, trainer
from tests.training.search_rounds import search

CASES: dict[str, tuple[str, dict[str, Any], BalancerSpec]] = {
    "softmax": ("mtnas", {"layers": 2, "subnets": 2, "width": 4}, EqualBalancer()),
    "hard concrete": ("snr", {"layers": 2, "subnets": 2, "width": 4}, EqualBalancer()),
    "free numbers": ("dselect_k", {"experts": 4, "k": 2, "layers": 1, "width": 4}, EqualBalancer()),
    "streams": ("gumbel_matrix", {"layers": 2, "components": 3, "width": 4}, EqualBalancer()),
    "Gram balancer": ("mtnas", {"layers": 2, "subnets": 2, "width": 4}, GdodBalancer()),
}

MOST = 1.1  # what a pack may launch more than one candidate alone, for whom axes of size 1 need no copies


class Counter(TorchDispatchMode):
    """Counts what reaches the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", CASES)
def test_a_step_launches_as_much_for_two_candidates_as_for_four_and_hardly_more_than_for_one(name: str) -> None:
    kind, options, balancer = CASES[name]
    space = replace(search_spaces.build(kind, TASKS, options), inputs=INPUTS)
    route = canonical_route(space.graph, space.sample(np.random.default_rng(0)))
    graph = shape_graph(space.graph, route)
    recipe = Recipe(batch_size=32, epochs=1, balancer=balancer)
    counts = []
    for size in (1, 2, 3, 4):
        settings = [Settings(lr=0.01 * (k + 1), dropout=0.1) for k in range(size)]
        pack = trainer(graph, [route] * size, settings, recipe, data=resident(dtype=torch.float32))
        batch = next(pack._stream.epoch(0))
        with torch.no_grad(), Counter() as optimising:
            pack._optimiser._step_whole(1.0)
        losses, _ = pack._objective.measure(batch, pack.selection, pack._noise)
        pack._objective.backward(pack._flat, losses, step=0)  # what is laid out once, at the first step
        with Counter() as measuring:
            losses, penalty = pack._objective.measure(batch, pack.selection, pack._noise)
            pack._objective.backward(pack._flat, losses, step=0, penalty=penalty)
        with Counter() as evaluating:
            pack.evaluate("valid")
        counts.append((optimising.count, measuring.count, evaluating.count))
    assert counts[1] == counts[2] == counts[3]
    assert all(several <= MOST * one for one, several in zip(counts[0], counts[1], strict=True))
    assert min(counts[0]) > 5


@pytest.mark.parametrize("name", ["darts", "gumbel", "dselect_k"])
def test_a_step_of_a_gradient_search_launches_no_more_for_more_searches(name: str) -> None:
    """One step of the weights' losses and one of the architecture's, without their optimisers' own loops on a CPU."""
    counts = []
    for size in (1, 2, 3, 4):
        made = search(name, [Settings(lr=0.01 * (k + 1), seed=1, dropout=0.1) for k in range(size)])
        assert isinstance(made, GradientSearcher)
        made._optimiser.step = lambda *_: None  # type: ignore[method-assign]
        step, batch = next(iter(made.weights.batches(0)))
        rows = next(made._rows)
        with Counter() as counter:
            with torch.no_grad():
                selection = made.weights.told(made.sample(4, step=step))
            losses, penalty = made.weights.objective.measure(batch, selection, made.weights.noise)
            made.weights.objective.backward(made.weights.flat, losses, step=0, penalty=penalty)
            made._architecture_step(rows, step)
        counts.append(counter.count)
    assert counts[1] == counts[2] == counts[3]
    assert counts[1] <= MOST * counts[0]
    assert counts[0] > 50
