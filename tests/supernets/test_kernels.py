"""Compiled kernels: what torch's own operations give, forward and backward, wherever the operands lie in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from mtnas.supernets.banks.normalise import normalised_relu
from mtnas.supernets.gates.softmax_values import softmax_over
from mtnas.supernets.inputs.curves import on_curves
from mtnas.supernets.inputs.look_up import look_up
from mtnas.supernets.kernels import compiled
from mtnas.supernets.kernels.availability import MOST_THREADS
from mtnas.supernets.mixing import weighted_sum

K, B, M, N, W = 2, 7, 6, 3, 5  # W odd: rows that no vector instruction fits


def drawn(shape: Sequence[int], *, order: Sequence[int] | None = None, dtype: torch.dtype = torch.float64) -> Tensor:
    """Random numbers of that shape, whose axes follow each other in memory in that order."""
    order = range(len(shape)) if order is None else order
    generator = torch.Generator().manual_seed(sum(shape))
    numbers = torch.randn([shape[axis] for axis in order], generator=generator, dtype=dtype)
    return numbers.permute([list(order).index(axis) for axis in range(len(shape))]).requires_grad_()


@contextmanager
def by_torch() -> Iterator[None]:
    """Threads beyond which torch's own operations are used."""
    before = torch.get_num_threads()
    torch.set_num_threads(MOST_THREADS + 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def outcome(function: Callable[..., Tensor], operands: Sequence[Tensor]) -> list[Tensor]:
    """Outputs and the gradients of the operands."""
    outputs = function(*operands)
    weights = torch.linspace(-1, 2, outputs.numel(), dtype=outputs.dtype).view(outputs.shape)
    wanted = [operand for operand in operands if operand.requires_grad]
    return [outputs, *torch.autograd.grad((outputs * weights).sum(), wanted)]


def assert_alike(function: Callable[..., Tensor], operands: Sequence[Tensor]) -> None:
    assert compiled(*operands)
    found = outcome(function, operands)
    with by_torch():
        assert not compiled(*operands)
        wanted = outcome(function, operands)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-13)


def normalised(across: int) -> Callable[..., Tensor]:
    return lambda x, *parameters: normalised_relu(x, *parameters, across=across)


@pytest.mark.parametrize(
    ("across", "order"), [(1, (0, 1, 2, 3)), (1, (0, 2, 1, 3)), (2, (0, 1, 2, 3)), (2, (0, 2, 1, 3)), (1, (3, 0, 1, 2))]
)
def test_normalised_layers(across: int, order: tuple[int, ...]) -> None:
    shape = (K, B, M, W) if across == 1 else (K, M, B, W)
    assert_alike(normalised(across), [drawn(shape, order=order), *(drawn((K, M, W)) for _ in range(3))])


def test_a_part_of_a_wide_product_is_normalised_where_it_lies() -> None:
    wide = drawn((K, B, M * W + 4))
    operands = [wide[..., : M * W].unflatten(2, (M, W)), *(drawn((K, M, W)) for _ in range(3))]
    assert_alike(normalised(1), operands)


@pytest.mark.parametrize("lists", [1, 2, M])
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (0, 3, 1, 2, 4), (4, 0, 1, 2, 3)])
@pytest.mark.parametrize("rows", [1, B])
def test_weighted_sums(lists: int, order: tuple[int, ...], rows: int) -> None:
    assert_alike(weighted_sum, [drawn((K, M, N, rows), order=(0, 3, 1, 2)), drawn((K, lists, N, B, W), order=order)])


def test_sources_that_stand_for_several_are_summed_over_all() -> None:
    shared = drawn((K, 1, 1, B, W))
    assert_alike(lambda values, one: weighted_sum(values, one.expand(K, 1, N, B, W)), [drawn((K, M, N, B)), shared])


EDGES = {
    "all": torch.ones(1, 1, N, 1),
    "some": torch.tensor([1.0, 0.0, 1.0]).view(1, 1, N, 1),
    "none": torch.zeros(1, 1, N, 1),
    "relaxed": torch.tensor([0.3, 0.0, 0.9]).view(1, 1, N, 1),
}


@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
@pytest.mark.parametrize("learnt", [False, True])
def test_softmax(edges: Tensor, learnt: bool) -> None:
    edges = edges.double().expand(K, M, N, 1).clone().requires_grad_(learnt)
    assert_alike(softmax_over, [drawn((K, M, N, B), order=(0, 3, 1, 2)), edges])


@pytest.mark.parametrize("seed_of", [None, [1, 0]])
@pytest.mark.parametrize("lone", [False, True])
def test_rows_of_tables(seed_of: list[int] | None, lone: bool) -> None:
    generator = torch.Generator().manual_seed(5)
    rows = torch.randint(4, (1 if seed_of is None else 2, B, 1 if lone else M), generator=generator)
    mapped = None if seed_of is None else torch.tensor(seed_of)
    assert_alike(lambda table: look_up(table, rows, mapped), [drawn((K, 4, W))])
    beside = drawn((K, B, 2))  # gradients then lie apart
    assert_alike(
        lambda table: torch.cat((look_up(table, rows, mapped).flatten(2), beside.detach()), 2), [drawn((K, 4, W))]
    )


@pytest.mark.parametrize("found", [float("nan"), float("inf")])
def test_what_is_no_number_stays_visible(found: float) -> None:
    x = torch.ones(1, 2, 1, 4)
    x[0, 1, 0, 2] = found
    parameters = [torch.zeros(1, 1, 4), torch.ones(1, 1, 4), torch.zeros(1, 1, 4)]
    outputs = normalised_relu(x, *parameters, across=1)
    assert not outputs[0, 1].isfinite().all()
    assert outputs[0, 0].isfinite().all()
    values = softmax_over(torch.tensor([0.0, found, 1.0]).view(1, 1, N, 1), torch.ones(1, 1, N, 1))
    assert values.isnan().any()
    assert not weighted_sum(torch.ones(1, 1, 2, 2), x.view(1, 1, 2, 1, 4).expand(1, 1, 2, 2, 4)).isfinite().all()


def test_candidates_are_what_they_are_alone_to_the_bit() -> None:
    x, parameters = drawn((K, B, M, W), dtype=torch.float32), [drawn((K, M, W), dtype=torch.float32) for _ in range(3)]
    together = outcome(normalised(1), [x, *parameters])
    for k in range(K):
        alone = [operand[k : k + 1].detach().requires_grad_() for operand in (x, *parameters)]
        outputs = normalised_relu(*alone, across=1)
        weights = torch.linspace(-1, 2, x.numel()).view(x.shape)[k : k + 1]
        gradients = torch.autograd.grad((outputs * weights).sum(), alone)
        for one, other in zip([outputs, *gradients], together, strict=True):
            assert torch.equal(one[0], other[k])


@pytest.mark.parametrize("seed_of", [None, (0, 1), (1, 0)])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3)])
def test_places_on_curves(seed_of: tuple[int, ...] | None, order: tuple[int, ...]) -> None:
    S = 1 if seed_of is None else 2
    rows = torch.randint(9, (S, B, N), generator=torch.Generator().manual_seed(0))
    shares, x = (drawn((S, B, N + extra), dtype=torch.float64)[..., :N].detach() for extra in (0, 1))
    seeds = None if seed_of is None else torch.tensor(seed_of)

    def placed(table: Tensor, linear: Tensor) -> Tensor:
        found = on_curves(table, linear, rows, shares, x, seeds)
        return found.permute(order).contiguous().permute([order.index(axis) for axis in range(4)])  # grads as they lie

    assert_alike(placed, [drawn((K, 9, 2, W)), drawn((K, N, 2, W))])
