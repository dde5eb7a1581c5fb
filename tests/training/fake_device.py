"""A GPU that is not there: tensors that say ``cuda:0`` and hold nothing, and a watch over what would wait for it.

``FakeTensorMode`` runs shapes, types and devices through every operation and raises where a value is asked for. A
build of torch for CPUs has no device guard of CUDA, which a few operations want, and its autograd asks which
accelerator it was built for: a small extension registers a guard that does nothing, and answers.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU = torch.device("cuda:0")

_EXTENSION = """
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

struct Guard final : c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::CUDA> {
  c10::Stream getStream(c10::Device device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, c10::Device(c10::DeviceType::CUDA, 0));
  }
};

static c10::impl::DeviceGuardImplRegistrar registered(c10::DeviceType::CUDA, new Guard());

struct Built final : at::CUDAHooksInterface {
  bool isBuilt() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
};

extern "C" void pretend(bool built) {  // both classes are a table of functions and nothing else
  auto* hooks = const_cast<at::CUDAHooksInterface*>(&at::detail::getCUDAHooks());
  if (built) new (hooks) Built(); else new (hooks) at::CUDAHooksInterface();
}
"""
_COPIES_SCALARS = ("aten::where", "aten::index_put", "aten::copy")
"""What takes numbers of the host that other element-wise operations get as arguments of their kernels."""


class Watch(TorchDispatchMode):
    """Writes down every copy between the host and the device, with the function of ours that asked for it.

    Attributes:
        copies: operation and function of those that wait for the device.
        sent: function of those that do not.
        launches: operations that reach the device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[str] = []
        self.sent: list[str] = []
        self.launches = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        made = [x for x in tree_leaves(found) if isinstance(x, Tensor)]
        if {x.device.type for x in (*given, *made)} == {"cpu", "cuda"} and not _passes_numbers(func, given, made):
            if made[0].is_cuda and (kwargs or {}).get("non_blocking"):
                self.sent.append(_function())
            else:
                self.copies.append(f"{func} at {_function()}")
        self.launches += any(x.is_cuda for x in made)
        return found


@contextmanager
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tensors that are made here are fakes; generators for the device are the host's."""
    extension = _extension()
    monkeypatch.setattr(torch, "Generator", _OnHost)
    monkeypatch.setattr(nn.Module, "to", _moved)
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: tensor)
    try:
        if extension is not None:
            extension.pretend(True)
        with FakeTensorMode():
            yield
    finally:
        if extension is not None:
            extension.pretend(False)


class _OnHost(torch.Generator):
    """A generator of the host, whatever device is asked for."""

    def __new__(cls, device: torch.device | str = "cpu") -> _OnHost:
        return super().__new__(cls)


def _moved(module: nn.Module, device: torch.device | str, dtype: torch.dtype | None = None) -> nn.Module:
    """``Module.to`` with new parameters, where torch would swap fakes in place, which their mode still points at."""
    for owner in module.modules():
        for name, parameter in list(owner.named_parameters(recurse=False)):
            new = nn.Parameter(parameter.detach().to(device, dtype), parameter.requires_grad)
            owner.register_parameter(name, new)
        for name, buffer in list(owner.named_buffers(recurse=False)):
            setattr(owner, name, buffer.to(device, dtype if buffer.is_floating_point() else None))
    return module


@cache
def _extension() -> ctypes.CDLL | None:
    """Built once for every version of torch; needs a compiler and ninja. A build for CUDA needs none."""
    if torch.version.cuda is not None:
        return None
    from torch.utils.cpp_extension import load_inline

    folder = Path(tempfile.gettempdir()) / f"fake_gpu-{torch.__version__}-{getuser()}"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # ninja lies there
        if shutil.which("c++") is None or shutil.which("ninja") is None:
            pytest.skip("no C++ compiler or no ninja")
        load_inline(
            "fake_gpu",
            _EXTENSION,
            build_directory=str(folder),
            extra_cflags=["-O0"],
            is_python_module=False,
            no_implicit_headers=True,
        )
    return ctypes.CDLL(str(folder / "fake_gpu.so"))


def _passes_numbers(func: Any, given: list[Tensor], made: list[Tensor]) -> bool:
    """Whether all that lies on the host are single numbers, and the kernel takes them as arguments."""
    on_host = [x for x in (*given, *made) if x.is_cpu]
    name = func.name()
    takes_numbers = torch.Tag.pointwise in func.tags or name.startswith("aten::fill_")
    return takes_numbers and not name.startswith(_COPIES_SCALARS) and all(x.dim() == 0 for x in on_host)


def _function() -> str:
    ours = [frame for frame in traceback.extract_stack() if "/mtnas/" in frame.filename]
    return f"{ours[-1].filename.rsplit('/mtnas/')[-1]}:{ours[-1].name}" if ours else "?"
