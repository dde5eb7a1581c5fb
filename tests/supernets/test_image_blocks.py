"""Convolutional blocks equal torch's own modules, for every instance and candidate of a bank (float64)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mtnas.errors import SpaceError
from mtnas.routes import Block, BlockKind, Edge, Encoder, GateKind, InputShape, Junction, RouteGraph, Slot, Tower, cost
from mtnas.routes.schemes.by_name import full_route
from mtnas.supernets import Initial, Supernet
from mtnas.supernets.banks.block_banks import make_bank
from mtnas.supernets.banks.convolution_banks import ConvolutionBank, GroupNormBank
from tests.supernets.weights import randomise

C, H, W, OUT = 3, 7, 5, 8
KERNELS = {
    BlockKind.CONV_1X1: ((1, 1),),
    BlockKind.CONV_3X3: ((3, 3), (3, 3)),
    BlockKind.CONV_5X5: ((5, 5), (5, 5)),
    BlockKind.CONV_7X7: ((7, 7), (7, 7)),
    BlockKind.CONV_1X7: ((1, 7), (7, 1)),
}
INITIAL = Initial(seeds=(0, 1), dtype=torch.float64)


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, C * H * W, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize("chosen", [None, (1, 0, 1)])
def test_convolutions(kind: BlockKind, stride: int, norm: bool, chosen: tuple[int, ...] | None) -> None:
    block = Block(kind=kind, widths=(C, H, W, OUT, stride), norm=norm)
    bank = make_bank(["a", "b"], block, C * H * W, INITIAL)
    assert isinstance(bank, ConvolutionBank)
    randomise(bank, seed=1)
    for readers in (1, 2 if chosen is None else 3):
        x = images(2, readers, 4)
        found = bank(x, None, chosen)
        for k in range(2):
            for position, i in enumerate(chosen or (0, 1)):
                h = x[k, position if readers > 1 else 0].view(-1, C, H, W)
                kernels = KERNELS[kind]
                for depth, (kernel, weight, bias) in enumerate(zip(kernels, bank.weights, bank.biases, strict=True)):
                    step = stride if depth == len(kernels) - 1 else 1
                    padding = (kernel[0] // 2, kernel[1] // 2)
                    h = functional.conv2d(h, weight[k, i], bias[k, i], stride=step, padding=padding)
                    if norm:
                        scale, shift = bank.norms[2 * depth][k, i], bank.norms[2 * depth + 1][k, i]
                        h = functional.group_norm(h, 4, scale, shift)
                    h = h.relu()
                assert h.shape[1:] == (OUT, math.ceil(H / stride), math.ceil(W / stride))
                torch.testing.assert_close(found[k, position], h.flatten(1), rtol=1e-10, atol=1e-10)
    assert found.shape[-1] == block.out_width(C * H * W)
    per_instance = sum(p[0, 0].numel() for p in bank.parameters())
    assert per_instance == block.num_params(C * H * W)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_shortcut_is_a_plain_convolution(stride: int) -> None:
    block = Block(kind=BlockKind.SHORTCUT, widths=(C, H, W, OUT, stride))
    bank = make_bank(["a", "b"], block, C * H * W, INITIAL)
    assert isinstance(bank, ConvolutionBank)
    randomise(bank, seed=1)
    x = images(2, 2, 4)
    found = bank(x, None)
    for k in range(2):
        for i in range(2):
            weight, bias = bank.weights[0][k, i], bank.biases[0][k, i]
            expected = functional.conv2d(x[k, i].view(-1, C, H, W), weight, bias, stride=stride)
            torch.testing.assert_close(found[k, i], expected.flatten(1), rtol=1e-10, atol=1e-10)
    assert sum(p[0, 0].numel() for p in bank.parameters()) == block.num_params(C * H * W) == C * OUT + OUT
    with pytest.raises(SpaceError, match="without layers"):
        Block(kind=BlockKind.SHORTCUT, widths=(C, H, W, OUT, stride), norm=False)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", [BlockKind.MAX_POOL, BlockKind.AVERAGE_POOL])
def test_pools(kind: BlockKind, stride: int) -> None:
    block = Block(kind=kind, widths=(C, H, W, stride))
    x = images(2, 3, 4)
    found = make_bank(["a", "b", "c"], block, C * H * W, INITIAL)(x, None)
    flat = x.view(-1, C, H, W)
    if kind is BlockKind.MAX_POOL:
        expected = functional.max_pool2d(flat, 3, stride, 1)
    else:
        expected = functional.avg_pool2d(flat, 3, stride, 1, count_include_pad=False)
    torch.testing.assert_close(found, expected.reshape(2, 3, 4, -1))
    assert found.shape[-1] == block.out_width(C * H * W)


def test_group_norm() -> None:
    block = Block(kind=BlockKind.GROUP_NORM, widths=(8, 3, 2))
    bank = make_bank(["a", "b"], block, 48, INITIAL)
    assert isinstance(bank, GroupNormBank)
    randomise(bank, seed=2)
    x = torch.randn(2, 2, 5, 48, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for k in range(2):
        for i in range(2):
            scale, shift = bank.norm_scale[k, i], bank.norm_shift[k, i]
            expected = functional.group_norm(x[k, i].view(5, 8, 3, 2), 4, scale, shift).relu().flatten(1)
            torch.testing.assert_close(bank(x, None)[k, i], expected)


def test_multiply_accumulates_are_counted_by_hand() -> None:
    block = Block(kind=BlockKind.CONV_3X3, widths=(3, 7, 5, 8, 2))
    assert block.macs(105) == 9 * 3 * 8 * 7 * 5 + 9 * 8 * 8 * 4 * 3


def test_a_block_that_reads_another_image_is_refused() -> None:
    graph = RouteGraph(
        encoders=(Encoder(),),
        slots=(Slot(name="s", layer=1, reads="in", choices=(Block(kind=BlockKind.CONV_1X1, widths=(1, 4, 4, 2, 1)),)),),
        junctions=(
            Junction(name="in", edges=(Edge(source="x"),), gates=(GateKind.PASS,), queries=()),
            Junction(name="to.a", edges=(Edge(source="s"),), gates=(GateKind.PASS,), queries=()),
        ),
        towers=(Tower(task="a", reads="to.a"),),
    )
    assert cost(graph, full_route(graph), InputShape(num_numeric=16)).num_params > 0
    with pytest.raises(SpaceError, match="expected input width 16, found 15"):
        Supernet(graph, InputShape(num_numeric=15), [0])
