"""Loading an export into this process, beside others: every folder is a package of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from mtnas.errors import ExportError


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModule:
    """An export at work.

    Attributes:
        network: the plain module; ``network(**network.tensors(arrays))`` gives logits.
        preprocessing: raw rows, a list a column, to arrays.
        folder: where it lies.
    """

    network: nn.Module
    preprocessing: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    folder: Path

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that rows need."""
        found: tuple[str, ...] = self.preprocessing.columns  # type: ignore[attr-defined]
        return found

    def predict(self, rows: Mapping[str, Any]) -> dict[str, Tensor]:
        """Per task a probability or value ``[B]``, or probabilities of classes ``[B, C]``.

        Args:
            rows: column name to a list or array with one value a row.

        Raises:
            ValueError: a column is missing, or a value cannot be read; column and row are named.
        """
        found: dict[str, Tensor] = self.network.predict(self.preprocessing(rows))  # type: ignore[operator]
        return found


def load_module(folder: Path) -> LoadedModule:
    """The network and its preprocessing from an export's folder. It runs the folder's code: load what you trust.

    Raises:
        ExportError: there is no export.
    """
    place = folder.resolve()
    if not (place / "model.py").is_file():
        raise ExportError(expected="a folder with model.py", found=str(folder), where="export")
    name = f"mtnas_export_{sha256(str(place).encode()).hexdigest()[:16]}"
    package = ModuleType(name)
    package.__path__ = [str(place)]
    for known in [module for module in sys.modules if module == name or module.startswith(f"{name}.")]:
        del sys.modules[known]  # the folder may have been written anew
    sys.modules[name] = package
    network, preprocessing = import_module(f"{name}.model").load(place)
    return LoadedModule(network=network, preprocessing=preprocessing, folder=place)
