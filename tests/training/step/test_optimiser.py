"""The pack's AdamW equals the library's, one optimiser per candidate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mtnas.errors import TrainingError
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.optimiser import PackAdamW
from mtnas.training.step.schedule import one_cycle

LR = (1e-2, 3e-3, 0.1, 1e-2)
DECAY = (0.1, 0.0, 0.5, 0.02)
MAX_NORM = (0.5, math.inf, 0.01, 5.0)
FORMULATIONS = ["fused", "whole"]


class Pack(nn.Module):
    """The weights of some of four fixed candidates."""

    def __init__(self, index: Sequence[int], dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        shapes = {"weight": (9, 13), "bias": (13,), "gate": (13, 3), "out": (3, 1)}
        for name, shape in shapes.items():
            drawn = torch.randn(4, *shape, dtype=torch.float64, generator=generator)
            self.register_parameter(name, nn.Parameter(drawn[list(index)].to(dtype)))

    def losses(self, x_BD: Tensor) -> Tensor:
        hidden = torch.tanh(x_BD.to(self.weight.dtype) @ self.weight + self.bias[:, None])
        return (hidden @ self.gate @ self.out).square().mean(dim=(1, 2))


def _inputs(step: int) -> Tensor:
    return torch.randn(11, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(step))


def _optimiser(
    index: Sequence[int], *, clip: bool = False, dtype: torch.dtype = torch.float64
) -> tuple[Pack, FlatParameters, PackAdamW]:
    module = Pack(index, dtype)
    flat = FlatParameters(module)
    optimiser = PackAdamW(
        flat,
        lr=[LR[k] for k in index],
        weight_decay=[DECAY[k] for k in index],
        max_norm=[MAX_NORM[k] for k in index] if clip else None,
    )
    return module, flat, optimiser


def _train(module: Pack, flat: FlatParameters, optimiser: PackAdamW, steps: range, total: int = 30) -> None:
    for step in steps:
        flat.backward(module.losses(_inputs(step)).sum())
        optimiser.step(one_cycle(step, total))


def _library(candidate: int, num_steps: int, *, clip: bool) -> dict[str, Tensor]:
    """The same candidate trained by ``torch.optim.AdamW`` with its own rate, biases and gates not decayed."""
    module = Pack([candidate])
    decayed, others = [module.weight, module.out], [module.bias, module.gate]
    groups = [{"params": decayed, "weight_decay": DECAY[candidate]}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=LR[candidate])
    for step in range(num_steps):
        for group in optimiser.param_groups:
            group["lr"] = LR[candidate] * one_cycle(step, num_steps)
        optimiser.zero_grad()
        module.losses(_inputs(step)).sum().backward()
        if clip:
            nn.utils.clip_grad_norm_(module.parameters(), MAX_NORM[candidate])
        optimiser.step()
    return dict(module.named_parameters())


@pytest.fixture(params=FORMULATIONS)
def formulation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both formulations on the CPU: devices choose between them."""
    if request.param == "whole":
        monkeypatch.setattr(PackAdamW, "_step_fused", PackAdamW._step_whole)
    return str(request.param)


@pytest.mark.usefixtures("formulation")
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("index", [[0, 1, 2, 3], [2], [3, 1]])
def test_every_candidate_equals_the_library_alone(index: list[int], *, clip: bool) -> None:
    module, flat, optimiser = _optimiser(index, clip=clip)
    _train(module, flat, optimiser, range(30))
    for position, candidate in enumerate(index):
        expected = _library(candidate, 30, clip=clip)
        for name, parameter in module.named_parameters():
            torch.testing.assert_close(parameter[position], expected[name][0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_checkpoint_goes_on_exactly(dtype: torch.dtype) -> None:
    module, flat, optimiser = _optimiser([0, 2], clip=True, dtype=dtype)
    _train(module, flat, optimiser, range(7))
    written = save(optimiser.state_dict())
    _train(module, flat, optimiser, range(7, 15))
    resumed_module, resumed_flat, resumed = _optimiser([0, 2], clip=True, dtype=dtype)
    resumed.load_state_dict(load(written))
    _train(resumed_module, resumed_flat, resumed, range(7, 15))
    assert torch.equal(flat.weights, resumed_flat.weights)
    for name, tensor in optimiser.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor)


def test_a_checkpoint_is_a_copy() -> None:
    module, flat, optimiser = _optimiser([0])
    state = optimiser.state_dict()
    before = state["weights"].clone()
    _train(module, flat, optimiser, range(1))
    assert torch.equal(state["weights"], before)


def test_another_packs_checkpoint_is_refused() -> None:
    _, _, optimiser = _optimiser([0, 1])
    with pytest.raises(TrainingError, match="optimiser state"):
        optimiser.load_state_dict(_optimiser([0])[2].state_dict())


@pytest.mark.usefixtures("formulation")
def test_a_diverged_candidate_leaves_its_neighbours_alone() -> None:
    module, flat, optimiser = _optimiser([0, 1, 2], clip=True)
    with torch.no_grad():
        module.weight[1].fill_(math.nan)
    _train(module, flat, optimiser, range(30))
    expected = _library(2, 30, clip=True)
    torch.testing.assert_close(module.weight[2], expected["weight"][0], rtol=1e-12, atol=1e-12)
    assert module.weight[1].isnan().all()


@pytest.mark.usefixtures("formulation")
def test_a_tensor_factor_steps_as_its_number() -> None:
    packs = [_optimiser([0, 1]) for _ in range(2)]
    for (module, flat, optimiser), factor in zip(packs, (0.3, torch.tensor(0.3, dtype=torch.float64)), strict=True):
        flat.backward(module.losses(_inputs(0)).sum())
        optimiser.step(factor)
    torch.testing.assert_close(packs[0][1].weights, packs[1][1].weights, rtol=1e-14, atol=0)


@pytest.mark.usefixtures("formulation")
@pytest.mark.parametrize("setting", ["lr", "weight_decay", "max_norm", "betas", "eps"])
def test_every_setting_changes_the_weights(setting: str) -> None:
    results = []
    for changed in (False, True):
        module = Pack([0])
        flat = FlatParameters(module)
        optimiser = PackAdamW(
            flat,
            lr=[0.02 if changed and setting == "lr" else 0.01],
            weight_decay=[0.2 if changed and setting == "weight_decay" else 0.1],
            max_norm=[1e-3 if changed and setting == "max_norm" else 1.0],
            betas=(0.8, 0.9) if changed and setting == "betas" else (0.9, 0.999),
            eps=1e-2 if changed and setting == "eps" else 1e-8,
        )
        _train(module, flat, optimiser, range(3))
        results.append(flat.weights.clone())
    assert not torch.equal(results[0], results[1])


class _Launches(TorchDispatchMode):
    """Counts the operations that reach a device."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.counts[str(func)] += 1
        return func(*args, **(kwargs or {}))


def test_whole_buffer_steps_launch_the_same_operations_for_any_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PackAdamW, "_step_fused", PackAdamW._step_whole)
    counts = []
    for index in ([0], [0, 1], [0, 1, 2, 3]):
        _, _, optimiser = _optimiser(index, clip=True)
        with _Launches() as launches:
            optimiser.step(0.5)
        counts.append(launches.counts)
    assert counts[0] == counts[1] == counts[2]
    assert counts[0].total() > 0


@pytest.mark.parametrize("setting", ["lr", "weight_decay", "max_norm"])
def test_one_value_per_candidate_is_demanded(setting: str) -> None:
    flat = FlatParameters(Pack([0, 1]))
    values = {"lr": [0.1, 0.1], "weight_decay": [0.0, 0.0], "max_norm": [1.0, 1.0]}
    values[setting] = [0.1]
    with pytest.raises(TrainingError, match=f"optimiser, {setting}: expected 2 values"):
        PackAdamW(flat, lr=values["lr"], weight_decay=values["weight_decay"], max_norm=values["max_norm"])
