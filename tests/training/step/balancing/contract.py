"""What every balancer must do: a suite over its settings, and inputs to run it on.

Legend: K pack, T tasks, P elements of one candidate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.tasks import Task, TaskKind
from mtnas.training.step.balancing import PackShape, make_balancer
from mtnas.training.step.balancing.balancer import GramBalancer, JacobianBalancer, LateLossBalancer, LossBalancer
from mtnas.training_options import (
    AlignedMtlBalancer,
    BalancerSpec,
    CaGradBalancer,
    DualProjBalancer,
    DynamicAverageBalancer,
    EqualBalancer,
    FairGradBalancer,
    FamoBalancer,
    GdodBalancer,
    GradDropBalancer,
    GradNormBalancer,
    GradVacBalancer,
    ImtlGBalancer,
    MgdaBalancer,
    NashBalancer,
    PcGradBalancer,
    RandomBalancer,
    StaticBalancer,
    UncertaintyBalancer,
    UpGradBalancer,
)

EVERY: tuple[BalancerSpec, ...] = (
    EqualBalancer(),
    StaticBalancer(weights={"a": 2.0, "c": 0.5}),
    UncertaintyBalancer(lr=0.1),
    DynamicAverageBalancer(window=2),
    GradNormBalancer(),
    RandomBalancer(),
    FamoBalancer(lr=0.1),
    GdodBalancer(),
    UpGradBalancer(),
    DualProjBalancer(),
    MgdaBalancer(),
    PcGradBalancer(),
    CaGradBalancer(),
    NashBalancer(),
    AlignedMtlBalancer(),
    ImtlGBalancer(),
    GradVacBalancer(),
    FairGradBalancer(),
    GradDropBalancer(),
)
VISITORS = (PcGradBalancer, GradVacBalancer)  # visit the other tasks in a random order
STEPS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Gradients ``[K, T, P]``, losses before and after each of some steps ``[K, T]``, and the tasks' names.

    ``present``: which tasks the step's batch has labels of, ``[K, T]``; ``None`` means all at every step.
    """

    tasks: tuple[Task, ...]
    gradients: tuple[Tensor, ...]
    before: tuple[Tensor, ...]
    after: tuple[Tensor, ...]
    present: tuple[Tensor, ...] | None = None

    def permuted(self, order: list[int]) -> Course:
        """The same course with the tasks in another order."""
        return Course(
            tasks=tuple(self.tasks[i] for i in order),
            gradients=tuple(g[:, order] for g in self.gradients),
            before=tuple(x[:, order] for x in self.before),
            after=tuple(x[:, order] for x in self.after),
            present=None if self.present is None else tuple(x[:, order] for x in self.present),
        )

    def of_candidate(self, k: int) -> Course:
        """One candidate's course."""
        one = slice(k, k + 1)
        return Course(
            tasks=self.tasks,
            gradients=tuple(g[one] for g in self.gradients),
            before=tuple(x[one] for x in self.before),
            after=tuple(x[one] for x in self.after),
            present=None if self.present is None else tuple(x[one] for x in self.present),
        )

    def masked(self, present: list[Tensor]) -> Course:
        """The same course where a task without a label in a step has loss and gradient zero, as losses have it."""
        return Course(
            tasks=self.tasks,
            gradients=tuple(g * p.unsqueeze(2) for g, p in zip(self.gradients, present, strict=True)),
            before=tuple(x * p for x, p in zip(self.before, present, strict=True)),
            after=tuple(x * p for x, p in zip(self.after, present, strict=True)),
            present=tuple(present),
        )


def course(*, K: int, T: int, seed: int = 0, P: int = 7, spread: float = 1.0) -> Course:
    """Gradients that conflict, each ``spread`` times longer than the next, and losses that fall at different rates."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    kinds = (TaskKind.BINARY, TaskKind.REGRESSION, TaskKind.BINARY, TaskKind.REGRESSION)
    tasks = tuple(Task(name="abcd"[t], kind=kinds[t], label="y") for t in range(T))
    losses = [draw(K, T).exp() for _ in range(STEPS)]
    after = [loss * (1 - 0.3 * draw(K, T).sigmoid()) for loss in losses]
    lengths = spread ** -torch.arange(T, dtype=torch.float64)[:, None]
    gradients = [(draw(K, T, P) + 0.5 * draw(K, 1, P)) * lengths for _ in range(STEPS)]
    return Course(tasks=tasks, gradients=tuple(gradients), before=tuple(losses), after=tuple(after))


def shape_of(found: Course, *, seeds: tuple[int, ...]) -> PackShape:
    """The pack that goes through the course."""
    return PackShape(tasks=found.tasks, seeds=seeds, steps_per_epoch=2, device=torch.device("cpu"), dtype=torch.float64)


def directions(
    settings: BalancerSpec, found: Course, *, seeds: tuple[int, ...], interrupted_at: int | None = None
) -> list[Tensor]:
    """The direction ``[K, P]`` of every step; at an interruption a new balancer goes on from the old one's state."""
    balancer = make_balancer(settings, shape_of(found, seeds=seeds))
    taken = []
    for step in range(STEPS):
        if step == interrupted_at:
            state = balancer.state()
            balancer = make_balancer(settings, shape_of(found, seeds=seeds))
            balancer.load_state(state)
        gradients, losses = found.gradients[step], found.before[step]
        present = None if found.present is None else found.present[step]
        if isinstance(balancer, JacobianBalancer):
            taken.append(balancer.combine(gradients[0], step)[None])
            continue
        if isinstance(balancer, GramBalancer):
            weights = balancer.weights(gradients @ gradients.transpose(1, 2), losses, step, present)
        else:
            assert isinstance(balancer, LossBalancer)
            weights = balancer.weights(losses, step, present)
        assert weights.shape == losses.shape
        assert not weights.requires_grad
        taken.append((weights.unsqueeze(1) @ gradients).squeeze(1))
        if isinstance(balancer, LateLossBalancer):
            balancer.after(found.after[step], present)
    return taken


def one_task_gives_the_plain_direction(settings: BalancerSpec) -> None:
    """A positive multiple of the gradient, at every step."""
    found = course(K=1, T=1)
    for direction, gradients in zip(directions(settings, found, seeds=(3,)), found.gradients, strict=True):
        cosine = torch.cosine_similarity(direction[0], gradients[0, 0], dim=0)
        torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=1e-9, atol=0)


def permuting_the_tasks_changes_nothing(settings: BalancerSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights go with the tasks, so the direction stays, to 1e-8 of its size.

    Two methods visit the other tasks in an order that the library draws by position: here it is drawn by name.
    """
    found, order = course(K=1, T=4), [2, 0, 3, 1]
    courses = []
    for tasks_in_order, of in (([0, 1, 2, 3], found), (order, found.permuted(order))):
        if isinstance(settings, VISITORS):
            visits = Visits(tasks_in_order, itself=isinstance(settings, PcGradBalancer))
            monkeypatch.setattr(torch, "randperm", visits.next_order)
        courses.append(directions(settings, of, seeds=(3,)))
        monkeypatch.undo()
    for one, two in zip(*courses, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-8 * one.abs().max().item())


class Visits:
    """In which order each task in turn visits the others: drawn by the tasks' names, told by their positions."""

    def __init__(self, tasks_in_order: list[int], *, itself: bool) -> None:
        """``itself``: whether a task is among those that it visits."""
        self._tasks, self._itself, self._calls = tasks_in_order, itself, 0

    def next_order(self, count: int) -> Tensor:
        """Positions among all tasks, or among the others."""
        step, position = divmod(self._calls, len(self._tasks))
        self._calls += 1
        task = self._tasks[position]
        visited = [t for t in self._tasks if self._itself or t != task]
        assert len(visited) == count
        drawn = np.random.default_rng([step, task]).permutation(sorted(visited))
        return torch.tensor([visited.index(t) for t in drawn])


def a_candidate_in_a_pack_is_the_candidate_alone(settings: BalancerSpec) -> None:
    """Nothing depends on K or on the place in the pack."""
    if isinstance(settings, GradDropBalancer):
        return
    found, seeds = course(K=3, T=3), (5, 8, 5)
    together = directions(settings, found, seeds=seeds)
    for k in range(3):
        alone = directions(settings, found.of_candidate(k), seeds=seeds[k : k + 1])
        for one, two in zip(together, alone, strict=True):
            torch.testing.assert_close(one[k : k + 1], two, rtol=1e-9, atol=1e-12)


def a_resumed_run_goes_on_exactly(settings: BalancerSpec) -> None:
    """State is complete: an interruption changes nothing."""
    K = 1 if isinstance(settings, GradDropBalancer) else 2
    found = course(K=K, T=3)
    whole = directions(settings, found, seeds=(1, 2)[:K])
    parted = directions(settings, found, seeds=(1, 2)[:K], interrupted_at=3)
    for one, two in zip(whole, parted, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-12)


EVERYBODY = torch.ones(1, 3, dtype=torch.bool)
WITHOUT_B = torch.tensor([[True, False, True]])


def labels_of_every_task_change_nothing(settings: BalancerSpec) -> None:
    """To say that all tasks are there is to say nothing."""
    found = course(K=1, T=3)
    for one, two in zip(
        directions(settings, found, seeds=(3,)),
        directions(settings, found.masked([EVERYBODY] * STEPS), seeds=(3,)),
        strict=True,
    ):
        torch.testing.assert_close(one, two, rtol=0, atol=0)


def a_task_that_never_has_a_label_is_as_good_as_none(settings: BalancerSpec) -> None:
    """The others are weighed among themselves, at every step."""
    if isinstance(settings, RandomBalancer | DynamicAverageBalancer | GradNormBalancer):
        return  # shares of T whoever is there: the others' proportions are what stays (below)
    found = course(K=1, T=3)
    masked = directions(settings, found.masked([WITHOUT_B] * STEPS), seeds=(3,))
    for one, two in zip(masked, directions(settings, found.permuted([0, 2]), seeds=(3,)), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-7, atol=1e-9)


def an_absent_task_is_neither_weighed_nor_learnt_of(settings: BalancerSpec) -> None:
    """Steps with labels of one task of two leave the balance between them as it was, and follow that task alone."""
    found = course(K=1, T=2)
    both, one = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[True, False]])
    masks = [both, one, one, one, one, both]
    taken = directions(settings, found.masked(masks), seeds=(3,))
    for step in range(1, 5):
        cosine = torch.cosine_similarity(taken[step][0], found.gradients[step][0, 0], dim=0)
        torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=1e-9, atol=0)
        size = (taken[step][0].norm() / found.gradients[step][0, 0].norm()).item()
        assert 0.2 < size < 5 or isinstance(settings, RandomBalancer), f"step {step}: a weight of {size}"
    assert taken[5].isfinite().all()


def masks_may_differ_between_candidates(settings: BalancerSpec) -> None:
    """With rows of their own, candidates of a pack lack tasks of their own."""
    if isinstance(settings, GradDropBalancer):
        return
    generator = torch.Generator().manual_seed(1)
    present = [torch.rand(3, 3, generator=generator) < 0.6 for _ in range(STEPS)]
    found = course(K=3, T=3).masked(present)
    assert any(not mask.any(dim=1).all() for mask in present), "some candidate has no label at all in some step"
    together = directions(settings, found, seeds=(5, 8, 5))
    for k in range(3):
        alone = directions(settings, found.of_candidate(k), seeds=(5, 8, 5)[k : k + 1])
        for a, b in zip(together, alone, strict=True):
            assert a[k].isfinite().all()
            torch.testing.assert_close(a[k : k + 1], b, rtol=1e-9, atol=1e-12)


def a_masked_run_is_resumed_exactly(settings: BalancerSpec) -> None:
    """What is remembered of an absent task is part of the state."""
    generator = torch.Generator().manual_seed(4)
    found = course(K=1, T=3).masked([torch.rand(1, 3, generator=generator) < 0.7 for _ in range(STEPS)])
    whole = directions(settings, found, seeds=(1,))
    for one, two in zip(whole, directions(settings, found, seeds=(1,), interrupted_at=3), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-12)
