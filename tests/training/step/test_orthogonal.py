"""Muon for a pack is the library's Muon for every matrix of every candidate."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.optimiser import PackAdamW
from mtnas.training.step.orthogonal import _step_by_step, is_hidden_matrix, orthogonal

LR, DECAY = (1e-2, 3e-3, 2e-2), (0.1, 0.0, 1.0)


def is_matrix(name: str, shape: torch.Size) -> bool:
    return name == "weight"


class Pack(nn.Module):
    """Three candidates of two slots with a matrix each, read by an output layer."""

    def __init__(self, index: Sequence[int], sizes: tuple[int, int]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        for name, shape in {"weight": (2, *sizes), "out": (sizes[1], 1)}.items():
            drawn = torch.randn(3, *shape, dtype=torch.float64, generator=generator)
            self.register_parameter(name, nn.Parameter(drawn[list(index)]))

    def losses(self, x_BD: Tensor) -> Tensor:
        hidden = torch.tanh(x_BD @ self.weight)
        return ((hidden.prod(1) @ self.out) - x_BD[:, :1]).square().mean(dim=(1, 2))


def inputs(step: int, width: int) -> Tensor:
    return torch.randn(11, width, dtype=torch.float64, generator=torch.Generator().manual_seed(step))


def stepped(index: Sequence[int], sizes: tuple[int, int], num_steps: int) -> Pack:
    module = Pack(index, sizes)
    flat = FlatParameters(module, is_matrix=is_matrix)
    optimiser = PackAdamW(flat, lr=[LR[k] for k in index], weight_decay=[DECAY[k] for k in index])
    for step in range(num_steps):
        flat.backward(module.losses(inputs(step, sizes[0])).sum())
        optimiser.step(1.0 / (step + 1))
    return module


@pytest.mark.parametrize("sizes", [(8, 5), (5, 8), (6, 6)])
def test_matrices_move_as_the_library_moves_them(sizes: tuple[int, int]) -> None:
    """The library iterates in bfloat16, which has three digits: steps agree to a few in a hundred."""
    num_steps = 3
    found = stepped((0, 1, 2), sizes, num_steps)
    for candidate in range(3):
        module = Pack([candidate], sizes)
        matrices = [nn.Parameter(matrix.detach().clone()) for matrix in module.weight[0]]
        muon = torch.optim.Muon(
            matrices, lr=LR[candidate], weight_decay=DECAY[candidate], adjust_lr_fn="match_rms_adamw"
        )
        adam = torch.optim.AdamW([module.out], lr=LR[candidate], weight_decay=DECAY[candidate])
        start = [matrix.detach().clone() for matrix in matrices]
        for step in range(num_steps):
            with torch.no_grad():
                module.weight.copy_(torch.stack(list(matrices))[None])
            gradients = torch.autograd.grad(module.losses(inputs(step, sizes[0])).sum(), [module.weight, module.out])
            for matrix, gradient in zip(matrices, gradients[0][0], strict=True):
                matrix.grad = gradient.clone()
            module.out.grad = gradients[1]
            for optimiser in (muon, adam):
                for group in optimiser.param_groups:
                    group["lr"] = LR[candidate] / (step + 1)
                optimiser.step()
        moved = max(float((matrix.detach() - begun).abs().max()) for matrix, begun in zip(matrices, start, strict=True))
        for slot, matrix in enumerate(matrices):
            torch.testing.assert_close(found.weight[candidate, slot], matrix, rtol=0, atol=0.05 * moved)


@pytest.mark.parametrize("index", [[1], [2, 0]])
def test_a_candidate_moves_as_it_does_alone(index: list[int]) -> None:
    whole, some = stepped((0, 1, 2), (8, 5), 20), stepped(index, (8, 5), 20)
    for position, candidate in enumerate(index):
        torch.testing.assert_close(some.weight[position], whole.weight[candidate], rtol=0, atol=1e-12)
        torch.testing.assert_close(some.out[position], whole.out[candidate], rtol=0, atol=1e-12)


def test_singular_values_become_nearly_one_and_vectors_stay() -> None:
    matrices = torch.randn(4, 12, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = orthogonal(matrices)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    core = left.transpose(1, 2) @ found @ right.transpose(1, 2)
    values = torch.diagonal(core, dim1=1, dim2=2)
    assert values.min() > 0.6
    assert values.max() < 1.3
    assert (core - torch.diag_embed(values)).abs().max() < 1e-9
    assert torch.equal(orthogonal(torch.zeros(1, 3, 4)), torch.zeros(1, 3, 4))


@pytest.mark.parametrize("rank", [2, 8], ids=["of low rank", "of full rank"])
def test_long_matrices_take_the_same_steps_by_their_gram_matrix(rank: int) -> None:
    """In float64 to the last digits; in float32 far nearer than bfloat16, in which Muon is published, can tell."""
    generator = torch.Generator().manual_seed(2)
    left, right, rest = (torch.randn(3, *shape, generator=generator).double() for shape in ((40, 8), (8, 8), (40, 8)))
    matrices = left[:, :, :rank] @ right[:, :rank] + 1e-3 * rest
    normal = (matrices / matrices.flatten(1).norm(dim=1)[:, None, None]).transpose(1, 2)
    expected = _step_by_step(normal).transpose(1, 2)
    torch.testing.assert_close(orthogonal(matrices), expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(orthogonal(matrices.float()).double(), expected, rtol=0, atol=5e-4)
    coarse = _step_by_step(normal.bfloat16()).transpose(1, 2).double()
    assert (coarse - expected).abs().max() > 5e-3


@pytest.mark.parametrize(
    ("name", "shape", "found"),
    [
        ("banks.0_0.weights.0", (4, 64, 32), True),
        ("net.banks.1_0.weights.1", (4, 64, 32), True),
        ("gates.1_0.transforms", (3, 2, 8, 8), True),
        ("banks.0_0.biases.0", (4, 64), False),
        ("banks.0_0.weights.0", (4, 8, 8, 3, 3), False),
        ("encoder.tables.0", (100, 8), False),
        ("tower_groups.0.weights.1", (3, 32, 1), False),
        ("gates.0_0.kinds.softmax.weights.0", (3, 64, 4), False),
    ],
)
def test_hidden_matrices_alone_are_taken(name: str, shape: tuple[int, ...], *, found: bool) -> None:
    assert is_hidden_matrix(name, torch.Size(shape)) is found
