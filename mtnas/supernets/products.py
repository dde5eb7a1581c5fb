"""Which of the CPU's libraries computes float32 products, large ones and many small ones.

Where a processor has AVX-512 but the default library takes its slower paths (MKL on processors of other makers), oneDNN
computes the same products twice as fast: measured on an AMD EPYC of 2024, 206 against 85 GFLOP/s on one thread. torch
hands float32 products to oneDNN only when they may be rounded to bfloat16; without AMX, oneDNN then computes in float32
all the same, which is tested here, not assumed. Where it does round, it computes on AMX: two to four times as fast, and
sums and results are float32; that is what precision ``bfloat16`` asks for. Many tiny products are the other way round:
oneDNN takes two to three times as long for a thousand of 4 x 64 by 64 x 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_LIBRARY = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
_UNITS = {"AVX2": "avx2", "AVX-512": "avx512_f", "AVX-512 bfloat16": "avx512_bf16", "AMX bfloat16": "amx_bf16"}
_TOLERANCE = 1e-5  # relative to the largest entry; bfloat16 rounding gives 1e-3


@contextmanager
def products(dtype: torch.dtype, device: torch.device, *, rounded: bool = False) -> Iterator[None]:
    """Compute products with the faster library inside this block, forward or backward.

    Args:
        dtype: of the operands.
        device: where they are.
        rounded: whether operands of float32 products are rounded to bfloat16, where :func:`rounds_by_itself`;
            otherwise nothing loses precision.
    """
    if dtype != torch.float32 or device.type != "cpu" or not (onednn_keeps_float32() or rounded):
        yield
        return
    with _using("bf16"):
        yield


def rounds_by_itself(device: torch.device) -> bool:
    """Whether the library rounds the operands of float32 products when it is told to, so that nobody has to cast."""
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and not onednn_keeps_float32()  # type: ignore[no-untyped-call]


def bfloat16_pays(device: torch.device) -> bool:
    """Whether a step with products of bfloat16 is faster than one in float32, on this machine.

    On processors where somebody has to cast it is not: .6, .3 and .25 times as fast at batch 256, 1,024 and 4,096 on an
    AMD EPYC with AVX2. On a GPU nothing was measured; its tensor cores are taken at their word.
    """
    return device.type != "cpu" or rounds_by_itself(device)


def processor() -> str:
    """The processor of this machine and what of it decides how fast products are."""
    known: Mapping[str, Any] = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    units = [name for name, flag in _UNITS.items() if known.get(flag)]
    return ", ".join([str(known.get("cpu_name") or known.get("architecture", "unknown")), *units])


def small_products(first: Tensor, second: Tensor) -> Tensor:
    """``first @ second`` for many tiny matrices ``[X, M, D]`` and ``[X, D, N]``, by the default library."""
    if first.dtype != torch.float32 or not first.is_cpu or torch.is_autocast_enabled("cpu"):
        return first @ second
    found: Tensor = _SmallProducts.apply(first, second)  # type: ignore[no-untyped-call]
    return found


class _SmallProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor) -> Tensor:
        ctx.save_for_backward(first, second)
        with _using("ieee"):
            return first @ second

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        first, second = ctx.saved_tensors
        grad = grad.contiguous()
        with _using("ieee"):
            return (
                grad @ second.transpose(-2, -1) if ctx.needs_input_grad[0] else None,
                first.transpose(-2, -1) @ grad if ctx.needs_input_grad[1] else None,
            )


@contextmanager
def _using(precision: str) -> Iterator[None]:
    before = _LIBRARY.fp32_precision
    _LIBRARY.fp32_precision = precision
    try:
        yield
    finally:
        _LIBRARY.fp32_precision = before


@cache
def onednn_keeps_float32() -> bool:
    """Whether float32 products stay such on this processor when they may be rounded."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(2, 64, 64, generator=generator) for _ in range(2))
    exact = first.double() @ second.double()
    with _using("bf16"):
        found = first @ second
    return bool((found - exact).abs().max() < _TOLERANCE * exact.abs().max())
