"""Further formats of an export: one program each, which reads encoded rows as the module does."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from mtnas.errors import ExportError
from mtnas.export.load_module import load_module
from mtnas.export.manifest import MANIFEST, Manifest
from mtnas.export.writer import as_json

Format = Literal["module", "pt2", "onnx"]
PROGRAM, ONNX = "model.pt2", "model.onnx"
FLAT = ("categorical", "numeric", "images")  # arguments of a fixed width; every other is a bag


def add_formats(folder: Path, formats: Sequence[Format]) -> Manifest:
    """Write further formats into an export's folder, and their digests into its manifest.

    ``pt2`` is a program of ``torch.export``, ``onnx`` what ONNX Runtime reads. Both take the arrays that
    ``preprocessing.py`` makes, with any number of rows, and give the outputs that ``model`` gives.

    Raises:
        ExportError: the network cannot be written so, or what ``onnx`` needs (``mtnas[onnx]``) is not installed.
    """
    manifest = Manifest.read(folder)
    if "onnx" in formats:
        check_onnx_installed()
    contents: dict[str, bytes] = {}
    if {"pt2", "onnx"} & set(formats):
        program = program_of(folder)
        if "pt2" in formats:
            buffer = io.BytesIO()
            torch.export.save(program, buffer)
            contents[PROGRAM] = buffer.getvalue()
        if "onnx" in formats:
            contents[ONNX] = _onnx(program, [task.name for task in manifest.tasks], folder.name)
    if not contents:
        return manifest
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    digests = {name: sha256(content).hexdigest() for name, content in contents.items()}
    manifest = manifest.model_copy(update={"files": dict(sorted((dict(manifest.files) | digests).items()))})
    (folder / MANIFEST).write_bytes(as_json(manifest.to_json()))
    return manifest


def check_onnx_installed() -> None:
    """Make sure that ONNX can be written here.

    Raises:
        ExportError: naming what is missing.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ExportError(expected="the extra mtnas[onnx]", found=f"no {', '.join(missing)}", where="format onnx")


class _OneArgument(nn.Module):
    """The network of a mapping of arrays, so that modules and ensembles are called alike."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Outputs per task, [B, outputs]."""
        found: dict[str, Tensor] = self.network(**inputs)
        return found


def program_of(folder: Path) -> ExportedProgram:
    """The network of an export as a program whose number of rows, and longest bag, are free.

    Raises:
        ExportError: torch cannot trace it.
    """
    module = load_module(folder)
    rows = json.loads((folder / "example_rows.json").read_text(encoding="utf-8"))
    example = {name: _long_enough(name, x) for name, x in module.network.tensors(module.preprocessing(rows)).items()}  # type: ignore[operator]
    free: Mapping[str, Any] = {
        name: {0: Dim.DYNAMIC} if name in FLAT else {0: Dim.DYNAMIC, 1: Dim.DYNAMIC} for name in example
    }
    try:
        return torch.export.export(_OneArgument(module.network).eval(), (example,), dynamic_shapes=(free,))
    except Exception as error:  # torch has no common class of what it cannot trace
        found = str(error).strip().splitlines() or [type(error).__name__]
        raise ExportError(
            expected="a network that torch.export can trace", found=found[0][:300], where=folder.name
        ) from error


def _long_enough(name: str, x: Tensor) -> Tensor:
    """At least two rows, and bags of at least two: torch takes a length of one for a constant."""
    x = x if len(x) > 1 else x.repeat(2, *(1 for _ in x.shape[1:]))
    return x if name in FLAT or x.shape[1] > 1 else nn.functional.pad(x, (0, 1), value=-1)


def _onnx(program: ExportedProgram, tasks: Sequence[str], place: str) -> bytes:
    """The program for ONNX Runtime: inputs by the arguments' names, outputs by the tasks'."""
    names = list(program.example_inputs[0][0])
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            made = torch.onnx.export(program, dynamo=True, input_names=names, output_names=list(tasks), verbose=False)
    except Exception as error:  # the converter has no common class either
        found = str(error).strip().splitlines() or [type(error).__name__]
        raise ExportError(
            expected="operators that ONNX has", found=found[0][:300], where=f"format onnx of {place}"
        ) from error
    if made is None:
        raise ExportError(expected="an ONNX program", found="none", where=f"format onnx of {place}")
    content: bytes = made.model_proto.SerializeToString()
    return content
