"""The normalised layer: the library's own operations agree with it, forward and backward."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mtnas.supernets.banks.normalise import normalised_relu

SHAPES = {"instances before rows": (2, (2, 3, 7, 5)), "rows before instances": (1, (2, 7, 3, 5))}


def arguments(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (shape, (2, 3, 5), (2, 3, 5), (2, 3, 5))
    return [torch.randn(s, generator=generator, dtype=dtype, requires_grad=True) for s in shapes]


def by_library(x: Tensor, bias: Tensor, scale: Tensor, shift: Tensor, across: int) -> Tensor:
    bias, scale, shift = (parameter.unsqueeze(across) for parameter in (bias, scale, shift))
    return F.relu(F.layer_norm(x + bias, x.shape[-1:]) * scale + shift)


def gradients(function: Callable[..., Tensor], inputs: list[Tensor], **settings: int) -> tuple[Tensor, ...]:
    outputs = function(*inputs, **settings)
    weights = torch.linspace(-1, 2, outputs.numel(), dtype=outputs.dtype).view(outputs.shape)
    return outputs, *torch.autograd.grad((outputs * weights).sum(), inputs)


@pytest.mark.parametrize(("across", "shape"), SHAPES.values(), ids=SHAPES)
def test_outputs_and_gradients_are_those_of_the_librarys_layers(across: int, shape: tuple[int, ...]) -> None:
    inputs = arguments(shape)
    found = gradients(normalised_relu, inputs, across=across)
    wanted = gradients(by_library, inputs, across=across)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("across", "shape"), SHAPES.values(), ids=SHAPES)
def test_arguments_stay_as_they_are(across: int, shape: tuple[int, ...]) -> None:
    inputs = arguments(shape)
    before = [tensor.clone() for tensor in inputs]
    outputs = normalised_relu(*inputs, across=across)
    outputs.backward(seed := torch.ones_like(outputs))
    assert all(torch.equal(tensor, was) for tensor, was in zip(inputs, before, strict=True))
    assert bool((seed == 1).all())


def test_units_of_equal_value_give_the_shift() -> None:
    x = torch.full((1, 1, 2, 4), 3.0)
    shift = torch.tensor([[[0.5, -0.5, 1.0, 0.0]]])
    found = normalised_relu(x, torch.zeros(1, 1, 4), torch.ones(1, 1, 4), shift, across=2)
    assert torch.equal(found, F.relu(shift).unsqueeze(2).expand(1, 1, 2, 4))
