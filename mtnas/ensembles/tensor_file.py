"""Tensors with a few plain values as one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

_ABOUT = "about"


def packed(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    """One file; ``about`` are JSON values."""
    text = torch.frombuffer(bytearray(json.dumps(about).encode()), dtype=torch.uint8)
    return safetensors.torch.save({**tensors, _ABOUT: text})


def unpacked(data: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What ``packed`` wrote."""
    tensors = safetensors.torch.load(data)
    about: dict[str, Any] = json.loads(bytes(tensors.pop(_ABOUT).tolist()))
    return tensors, about
