"""Blocks described as data: what may fill a slot, its output width and its cost in closed form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from mtnas.errors import SpaceError


class BlockKind(StrEnum):
    """The kinds of sub-network."""

    MLP = "mlp"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One sub-network that may fill a slot.

    An MLP is, per width: linear, layer normalisation if ``norm``, ReLU. Dropout is a setting, not structure.

    Attributes:
        kind: which sub-network.
        widths: output width of each of its layers; empty for the identity.
        norm: whether a layer normalisation follows each linear map.

    Raises:
        SpaceError: widths that the kind cannot have.
    """

    kind: BlockKind
    widths: tuple[int, ...] = ()
    norm: bool = True

    def __post_init__(self) -> None:
        wants_widths = self.kind is not BlockKind.IDENTITY
        if wants_widths != bool(self.widths) or any(width < 1 for width in self.widths):
            raise SpaceError(
                expected="positive widths" if wants_widths else "no widths",
                found=str(self.widths),
                where=f"block of kind {self.kind}",
            )
        if not (self.norm or self.widths):
            raise SpaceError(expected="no 'norm' without layers", found="False", where=f"block of kind {self.kind}")

    @property
    def text(self) -> str:
        """Canonical text, such as ``mlp(128,64)`` or ``mlp(64)-`` for one without normalisation."""
        if self.kind is BlockKind.IDENTITY:
            return str(self.kind)
        return f"{self.kind}({','.join(map(str, self.widths))}){'' if self.norm else '-'}"

    @staticmethod
    def parse(text: str) -> Block:
        """Read the canonical text back.

        Raises:
            SpaceError: not the text of a block.
        """
        match = re.fullmatch(r"(\w+)(?:\(([0-9]+(?:,[0-9]+)*)\)(-?))?", text)
        if match is None or match[1] not in set(BlockKind):
            raise SpaceError(expected=f"one of {[str(k) for k in BlockKind]} with widths", found=text, where="block")
        widths = tuple(int(width) for width in match[2].split(",")) if match[2] else ()
        return Block(kind=BlockKind(match[1]), widths=widths, norm=match[3] != "-")

    def out_width(self, in_width: int) -> int:
        """Width of the output for an input of this width."""
        return self.widths[-1] if self.widths else in_width

    def num_params(self, in_width: int) -> int:
        """Parameters for an input of this width."""
        per_unit = 3 if self.norm else 1
        return sum(a * b + per_unit * b for a, b in self._maps(in_width))

    def macs(self, in_width: int) -> int:
        """Multiply-accumulates per example for an input of this width."""
        return sum(a * b for a, b in self._maps(in_width))

    def _maps(self, in_width: int) -> tuple[tuple[int, int], ...]:
        return tuple(zip((in_width, *self.widths), self.widths, strict=False))
