"""A pack's trained parameters and gradients as two buffers, so that a step is a few whole-buffer operations.

Legend: K pack, P elements of one candidate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtnas.errors import TrainingError

_ALIGNMENT = 16  # elements: every parameter of every candidate starts on a 64-byte border, whatever K is
_NOT_DECAYED = frozenset({"bias", "biases", "gate", "values", "alpha", "norm", "norms", "alignment"})


def is_decayed(name: str) -> bool:
    """Whether weight decay applies to the parameter of this name.

    Everything is decayed, maps and matrices of gates and edges too, but what belongs to a bias, a normalisation, the
    number that a gate holds per source, or an alignment (which starts at the identity, not at zero): no word of the
    dotted name (split at dots, underscores and digits) is ``bias``, ``norm`` (or their plurals), ``gate``, ``values``,
    ``alpha`` or ``alignment``. Shapes cannot tell, since batched biases are matrices.
    """
    return _NOT_DECAYED.isdisjoint(re.split(r"[^a-z]+", name.lower()))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatSlot:
    """Where one parameter lies in the buffers.

    Attributes:
        name: the parameter's dotted name.
        shape: its shape for one candidate.
        offset: its first element in a candidate's row.
        decayed: whether weight decay applies to it.
    """

    name: str
    shape: torch.Size
    offset: int
    decayed: bool


class FlatParameters:
    """All trainable parameters of a module as views ``[K, ...]`` of one buffer ``[K, P]``; gradients in another.

    The module gets new ``nn.Parameter`` objects, so it must read its parameters through its attributes, and must not
    be moved or cast afterwards. Parameters that do not require gradients stay outside the buffers. Buffers of the
    module are its own affair.

    Gradients are gathered after the backward pass, in one concatenation, instead of being views of the buffer:
    accumulating into views costs a pass over zeros and two over sums (155 against 72 us for K = 8, P = 100k).

    Matrices that an optimiser treats in their own way come first, ``weights[:, :num_in_matrices]``, then what else is
    decayed, up to ``num_decayed``, then the rest. Gaps from alignment hold zeros for ever.

    Attributes:
        weights: ``[K, P]``, contiguous.
        grads: ``[K, P]``, contiguous; what an optimiser steps with.
        parameters: the trainable parameters, in the order of ``slots``.
        slots: where each parameter lies.
        matrices: the slots of the matrices.
        num_in_matrices: elements of a row that they take.
        num_decayed: elements of a row that weight decay applies to.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        decays: Callable[[str], bool] = is_decayed,
        takes: Callable[[str], bool] = lambda _: True,
        is_matrix: Callable[[str, torch.Size], bool] = lambda _, __: False,
    ) -> None:
        """Move a module's parameters into a new buffer.

        Args:
            module: its parameters all have the pack as leading axis, one dtype and one device.
            decays: whether weight decay applies to a parameter, by its name.
            takes: whether a parameter belongs to the buffer, by its name; others are left where they are.
            is_matrix: which of the decayed ones come first, by name and shape of one candidate.

        Raises:
            TrainingError: no trainable parameter, or parameters that disagree on K, dtype or device.
        """
        trained = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
        named = {name: parameter for name, parameter in trained if takes(name)}
        _check_agreement(named, [parameter for parameter in module.parameters() if not parameter.requires_grad])
        self.slots, (self.num_in_matrices, self.num_decayed, width) = _lay_out(named, decays, is_matrix)
        self.matrices = tuple(slot for slot in self.slots if slot.offset < self.num_in_matrices)
        first = named[self.slots[0].name]
        self.weights = torch.zeros((first.shape[0], width), dtype=first.dtype, device=first.device)
        self.grads = torch.zeros_like(self.weights)
        self._gaps = [self.grads.new_zeros((self.num_candidates, _gap(slot))) for slot in self.slots]
        self.parameters = self._bind(module, named)

    @property
    def num_candidates(self) -> int:
        """K."""
        return self.weights.shape[0]

    @property
    def num_params(self) -> int:
        """Trainable parameters of one candidate, gaps not counted."""
        return sum(slot.shape.numel() for slot in self.slots)

    def backward(self, loss: Tensor) -> None:
        """Put the gradient of a scalar into ``grads``, over what was there."""
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        torch.cat(self._pieces(gradients), dim=1, out=self.grads)

    def gather(self, gradients: Sequence[Tensor | None]) -> Tensor:
        """Gradients of the ``parameters`` as ``[K, P]``, such as one task's for a balancer; ``None`` means zero."""
        return torch.cat(self._pieces(gradients), dim=1)

    def part(self, slot: FlatSlot, buffer: Tensor) -> Tensor:
        """What one parameter has in a buffer like ``weights``, as a view ``[K, ...]``."""
        elements = buffer[:, slot.offset : slot.offset + slot.shape.numel()]
        return elements.view(self.num_candidates, *slot.shape)

    def _bind(self, module: nn.Module, named: Mapping[str, nn.Parameter]) -> tuple[nn.Parameter, ...]:
        """Make every parameter a view of the buffer, under all its names.

        New objects, because those share the buffer's version: a backward pass over weights that were stepped in the
        meantime is then an error, where new data of old objects would go unnoticed.
        """
        new: dict[int, nn.Parameter] = {}
        for slot in self.slots:
            view = self.part(slot, self.weights)
            view.copy_(named[slot.name].detach())
            new[id(named[slot.name])] = nn.Parameter(view)
        for owner in module.modules():
            for attribute, parameter in list(owner.named_parameters(recurse=False, remove_duplicate=False)):
                if id(parameter) in new:
                    owner.register_parameter(attribute, new[id(parameter)])
        return tuple(new.values())

    def _pieces(self, gradients: Sequence[Tensor | None]) -> list[Tensor]:
        pieces: list[Tensor] = []
        for slot, gap, gradient in zip(self.slots, self._gaps, gradients, strict=True):
            if gradient is None:
                gradient = self.grads.new_zeros((self.num_candidates, *slot.shape))
            pieces.append(gradient.flatten(1))
            if gap.shape[1]:
                pieces.append(gap)
        return pieces


def _gap(slot: FlatSlot) -> int:
    """Elements between the end of a slot and the next border."""
    return -slot.shape.numel() % _ALIGNMENT


def _lay_out(
    named: dict[str, nn.Parameter], decays: Callable[[str], bool], is_matrix: Callable[[str, torch.Size], bool]
) -> tuple[tuple[FlatSlot, ...], list[int]]:
    """Slots in their three sections, and the element where each section ends."""
    sections: tuple[list[str], list[str], list[str]] = [], [], []
    for name, parameter in named.items():
        first = 0 if is_matrix(name, parameter.shape[1:]) else 1
        sections[first if decays(name) else 2].append(name)
    slots: list[FlatSlot] = []
    ends = []
    offset = 0
    for section, names in enumerate(sections):
        for name in names:
            slots.append(FlatSlot(name=name, shape=named[name].shape[1:], offset=offset, decayed=section < 2))
            offset += slots[-1].shape.numel() + _gap(slots[-1])
        ends.append(offset)
    return tuple(slots), ends


def _check_agreement(named: dict[str, nn.Parameter], frozen: Sequence[nn.Parameter]) -> None:
    if not named:
        raise TrainingError(expected="at least one trainable parameter", found="none", where="pack")
    first_name, first = next(iter(named.items()))
    for name, parameter in (*named.items(), *(("a frozen parameter", parameter) for parameter in frozen)):
        leading = parameter.shape[0] if parameter.ndim else None
        if (leading, parameter.dtype, parameter.device) != (first.shape[0], first.dtype, first.device):
            raise TrainingError(
                expected=f"leading axis {first.shape[0]}, {first.dtype} on {first.device} as {first_name!r} has",
                found=f"shape {tuple(parameter.shape)}, {parameter.dtype} on {parameter.device}",
                where=f"pack, parameter {name!r}",
            )
