"""A module over flat buffers behaves as it did before."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mtnas.errors import TrainingError
from mtnas.training.step.flat import FlatParameters, is_decayed


class TiedPack(nn.Module):
    """Two layers of K candidates, a tied weight under two names and a frozen table."""

    def __init__(self, num_candidates: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)

        def drawn(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(num_candidates, *shape, dtype=torch.float64, generator=generator))

        self.norm_scale = drawn(5)
        self.first = nn.ParameterDict({"weight": drawn(3, 5), "bias": drawn(5)})
        self.second = nn.ParameterDict({"weight": drawn(5, 5), "tied": self.first["weight"]})
        self.frozen = nn.Parameter(drawn(5).detach(), requires_grad=False)

    def forward(self, x_B3: Tensor) -> Tensor:
        hidden = torch.tanh(x_B3 @ self.first["weight"] + self.first["bias"][:, None]) * self.norm_scale[:, None]
        return hidden @ self.second["weight"] + x_B3 @ self.second["tied"] + self.frozen[:, None]


X = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_outputs_and_gradients_are_those_of_the_plain_module() -> None:
    plain, flattened = TiedPack(4), TiedPack(4)
    flat = FlatParameters(flattened)
    assert torch.equal(flattened(X), plain(X))
    flat.grads.fill_(99)
    flat.backward(flattened(X).square().sum())
    plain(X).square().sum().backward()
    expected = dict(plain.named_parameters())
    for slot in flat.slots:
        found = flat.grads[:, slot.offset : slot.offset + slot.shape.numel()]
        torch.testing.assert_close(found, expected[slot.name].grad.flatten(1), rtol=1e-13, atol=0)
    squares = sum(expected[slot.name].grad.square().sum().item() for slot in flat.slots)
    assert flat.grads.square().sum().item() == pytest.approx(squares, rel=1e-12)


def test_parameters_that_a_loss_does_not_reach_have_no_gradient() -> None:
    module = TiedPack(3)
    flat = FlatParameters(module)
    flat.grads.fill_(99)
    flat.backward(module.second["weight"].sum())
    slot = next(slot for slot in flat.slots if slot.name == "second.weight")
    assert flat.grads.sum().item() == 3 * slot.shape.numel()
    assert (flat.grads[:, slot.offset : slot.offset + slot.shape.numel()] == 1).all()


def test_gathering_leaves_the_gradient_buffer_alone() -> None:
    module = TiedPack(3)
    flat = FlatParameters(module)
    gradients = torch.autograd.grad(module(X).square().sum(), flat.parameters)
    gathered = flat.gather(gradients)
    assert not flat.grads.any()
    flat.backward(module(X).square().sum())
    assert torch.equal(gathered, flat.grads)


def test_buffers_hold_every_parameter_once_decayed_first_and_aligned() -> None:
    flat = FlatParameters(TiedPack(2))
    assert [(slot.name, slot.decayed) for slot in flat.slots] == [
        ("first.weight", True),
        ("second.weight", True),
        ("norm_scale", False),
        ("first.bias", False),
    ]
    assert flat.num_params == 5 + 15 + 5 + 25
    assert all(slot.offset % 16 == 0 for slot in flat.slots)
    assert flat.slots[2].offset == flat.num_decayed
    assert flat.weights.shape[1] % 16 == 0


def test_writing_the_buffer_writes_the_parameters() -> None:
    module = TiedPack(2)
    flat = FlatParameters(module)
    flat.weights.zero_()
    assert torch.equal(module(X), module.frozen[:, None].expand(2, 7, 5))
    assert module.first["weight"] is module.second["tied"]


def test_a_backward_pass_over_weights_that_have_changed_is_an_error() -> None:
    module = TiedPack(2)
    flat = FlatParameters(module)
    loss = module(X).square().sum()
    flat.weights.add_(1)
    with pytest.raises(RuntimeError, match="inplace operation"):
        flat.backward(loss)


@pytest.mark.parametrize(
    ("name", "decayed"),
    [
        ("layer0.weight", True),
        ("embeddings.0.table", True),
        ("layer0.bias", False),
        ("layer0.biases", False),
        ("slots.input_bias", False),
        ("gates.0_0.kinds.softmax.weights.0", True),
        ("gates.0_0.kinds.softmax.biases.0", False),
        ("gates.0_0.transforms", True),
        ("gates.0_0.kinds.attention.keys", True),
        ("gates.0_0.kinds.free.values", False),
        ("gates.0_0.kinds.hard_concrete.log_alpha", False),
        ("layer1.gate_query", False),
        ("norm1.weight", False),
        ("normal.weight", True),
        ("biased.weight", True),
    ],
)
def test_decay_goes_by_words_of_the_name(name: str, *, decayed: bool) -> None:
    assert is_decayed(name) is decayed


class _Loose(nn.Module):
    def __init__(self, *parameters: Tensor) -> None:
        super().__init__()
        self.parts = nn.ParameterList([nn.Parameter(parameter) for parameter in parameters])


@pytest.mark.parametrize(
    "parameters",
    [
        (),
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.float64)),
        (torch.zeros(2, 3), torch.tensor(1.0)),
    ],
)
def test_modules_without_a_common_leading_axis_and_type_are_refused(parameters: tuple[Tensor, ...]) -> None:
    with pytest.raises(TrainingError, match="pack"):
        FlatParameters(_Loose(*parameters))
