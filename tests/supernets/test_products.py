"""Which library computes products: never at the price of precision, and never for anybody else."""

from __future__ import annotations

import pytest
import torch

from mtnas.supernets.products import bfloat16_pays, onednn_keeps_float32, processor, products, small_products

CPU = torch.device("cpu")


def errors(dtype: torch.dtype = torch.float32) -> float:
    """The largest error of a product, relative to its largest entry."""
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.randn(3, 128, 128, generator=generator, dtype=dtype) for _ in range(2))
    exact = first.double() @ second.double()
    return float((first @ second - exact).abs().max() / exact.abs().max())


def test_float32_products_keep_float32_precision() -> None:
    with products(torch.float32, CPU):
        assert errors() < 1e-5


def test_settings_are_as_before_afterwards_also_when_the_block_fails() -> None:
    before = torch.backends.mkldnn.matmul.fp32_precision
    with products(torch.float32, CPU):
        pass
    assert torch.backends.mkldnn.matmul.fp32_precision == before
    with pytest.raises(ZeroDivisionError), products(torch.float32, CPU):
        _ = 1 / 0
    assert torch.backends.mkldnn.matmul.fp32_precision == before


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types_are_left_alone(dtype: torch.dtype) -> None:
    before = torch.backends.mkldnn.matmul.fp32_precision
    with products(dtype, CPU):
        assert torch.backends.mkldnn.matmul.fp32_precision == before


@pytest.mark.skipif(not onednn_keeps_float32(), reason="this processor rounds, or has no oneDNN")
def test_the_faster_library_is_used_where_it_keeps_precision() -> None:
    with products(torch.float32, CPU):
        assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_small_products_and_their_gradients_are_products(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(2)
    first = torch.randn(15, 2, 4, generator=generator, dtype=dtype, requires_grad=True)
    second = torch.randn(15, 4, 6, generator=generator, dtype=dtype, requires_grad=True)
    weights = torch.randn(15, 2, 6, generator=generator, dtype=dtype)
    found, wanted = small_products(first, second), first @ second
    assert torch.allclose(found, wanted)
    for one, other in zip(
        torch.autograd.grad((found * weights).sum(), (first, second)),
        torch.autograd.grad((wanted * weights).sum(), (first, second)),
        strict=True,
    ):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_small_products_inside_the_block_leave_its_library_chosen() -> None:
    with products(torch.float32, CPU):
        inside = torch.backends.mkldnn.matmul.fp32_precision
        small_products(torch.ones(2, 2, 2), torch.ones(2, 2, 2))
        assert torch.backends.mkldnn.matmul.fp32_precision == inside


def test_bfloat16_pays_where_the_library_rounds_and_nobody_has_to_cast() -> None:
    with products(torch.float32, CPU, rounded=True):
        rounds = errors() > 1e-5
    assert bfloat16_pays(CPU) == rounds


def test_the_processor_is_named_with_what_torch_uses_of_it() -> None:
    assert ("AVX-512" in processor()) == torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    assert ("AMX" in processor()) == torch.cpu._is_amx_tile_supported()
