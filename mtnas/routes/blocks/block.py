"""Blocks described as data: what may fill a slot, its output width and its cost in closed form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from mtnas.errors import SpaceError
from mtnas.routes.blocks.convolutions import KERNELS, LINEAR, read_image, stages, strided
from mtnas.routes.blocks.sequences import RECURRENT, cell_macs, cell_params, read_sequence, states


class BlockKind(StrEnum):
    """The kinds of sub-network; ``Block.widths`` says what each takes."""

    MLP = "mlp"
    IDENTITY = "identity"
    LINEAR = "linear"
    PART = "part"
    CROSS = "cross"
    MASK = "mask"
    FACTORISATION_MACHINE = "fm"
    SHORTCUT = "shortcut"
    CONV_1X1 = "conv1x1"
    CONV_3X3 = "conv3x3"
    CONV_5X5 = "conv5x5"
    CONV_7X7 = "conv7x7"
    CONV_1X7 = "conv1x7"
    MAX_POOL = "max_pool"
    AVERAGE_POOL = "average_pool"
    GROUP_NORM = "group_norm"
    GRU = "gru"
    GRU_LAST = "gru_last"

    @property
    def convolves(self) -> bool:
        """Whether it is a convolution."""
        return self in KERNELS

    @property
    def normalises(self) -> bool:
        """Whether ``Block.norm`` is a choice."""
        return (self.convolves and self not in LINEAR) or self in (BlockKind.MLP, BlockKind.MASK)


_NUMBERS = {
    BlockKind.IDENTITY: 0,
    BlockKind.LINEAR: 1,
    BlockKind.PART: 3,
    BlockKind.MASK: 2,
    BlockKind.FACTORISATION_MACHINE: 1,
    BlockKind.MAX_POOL: 4,
    BlockKind.AVERAGE_POOL: 4,
    BlockKind.GROUP_NORM: 3,
    BlockKind.GRU: 3,
    BlockKind.GRU_LAST: 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One sub-network that may fill a slot. Dropout is a setting, not structure.

    | kind | ``widths`` | what it computes |
    |---|---|---|
    | mlp | of each layer | per width: linear, layer normalisation if ``norm``, ReLU |
    | identity | none | its input |
    | linear | output | a product without bias |
    | part | number, of how many, output | a product of one of so many equal parts of the input, without bias |
    | cross | rank of each layer | x <- x0 * (U V^T x + b) + x (DCN-v2; Wang et al., 2021, arXiv 2008.13535) |
    | mask | aggregation, output | relu(norm(W (mask * norm(x)))), mask = W2 relu(W1 x) (MaskNet; Wang et al., 2021,
    |      |                     | arXiv 2102.07619) |
    | fm | output | per unit, linear part and pairwise interactions ((x V)^2 - x^2 V^2) / 2 (Rendle, 2010, one
    |    |        | unit per factor as in He and Chua, 2017, arXiv 1708.05027) |
    | conv* | channels, rows, columns read; channels given; stride | convolutions, each with group normalisation, ReLU |
    | shortcut | as conv* | a 1x1 convolution and nothing else: an identity that strides |
    | max_pool, average_pool | channels, rows, columns; stride | 3x3 pooling |
    | group_norm | channels, rows, columns | group normalisation and ReLU |
    | gru, gru_last | channels read, steps, units | gated recurrent unit over a sequence; its states, or the last one |

    Attributes:
        kind: which sub-network.
        widths: its numbers, see the table.
        norm: whether normalisations follow its linear maps; leave it at True for kinds without that choice.

    Raises:
        SpaceError: widths that the kind cannot have.
    """

    kind: BlockKind
    widths: tuple[int, ...] = ()
    norm: bool = True

    def __post_init__(self) -> None:
        wanted = 5 if self.kind.convolves else _NUMBERS.get(self.kind)
        fits = bool(self.widths) if wanted is None else len(self.widths) == wanted
        if not fits or any(width < 1 for width in self.widths):
            count = {None: "positive widths", 0: "no widths"}.get(wanted, f"{wanted} positive numbers")
            raise SpaceError(expected=count, found=str(self.widths), where=f"block of kind {self.kind}")
        if self.kind is BlockKind.PART and self.widths[0] > self.widths[1]:
            expected = f"a part's number of at most {self.widths[1]}"
            raise SpaceError(expected=expected, found=str(self.widths[0]), where="block of kind part")
        if not (self.norm or self.kind.normalises):
            raise SpaceError(expected="no 'norm' without layers", found="False", where=f"block of kind {self.kind}")

    @property
    def text(self) -> str:
        """Canonical text, such as ``mlp(128,64)`` or ``mlp(64)-`` for one without normalisation."""
        if not self.widths:
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

    @property
    def reads_width(self) -> int | None:
        """The one input width it can read, None for any."""
        if self.kind in RECURRENT:
            return read_sequence(self.widths).size
        is_image = self.kind.convolves or self.kind in (
            BlockKind.MAX_POOL,
            BlockKind.AVERAGE_POOL,
            BlockKind.GROUP_NORM,
        )
        return read_image(self.widths).size if is_image else None

    def out_width(self, in_width: int) -> int:
        """Width of the output for an input of this width."""
        fixed = self.fixed_width
        return in_width if fixed is None else fixed

    @property
    def fixed_width(self) -> int | None:
        """Width of the output where it does not depend on the input's, else None: then it is the input's."""
        match self.kind:
            case BlockKind.IDENTITY | BlockKind.CROSS:
                return None
            case BlockKind.GROUP_NORM:
                return read_image(self.widths).size
            case BlockKind.GRU:
                return states(self.widths).size
            case BlockKind.MAX_POOL | BlockKind.AVERAGE_POOL:
                image = read_image(self.widths)
                return strided(image, self.widths[3], image.channels).size
            case _:
                return stages(self.kind, self.widths)[-1].result.size if self.kind.convolves else self.widths[-1]

    def columns(self, in_width: int) -> range:
        """What a block of kind ``part`` reads of an input of this width."""
        number, count = self.widths[:2]
        return range(in_width * (number - 1) // count, in_width * number // count)

    def num_params(self, in_width: int) -> int:
        """Parameters for an input of this width."""
        per_unit = 3 if self.norm and self.kind.normalises else 1
        match self.kind:
            case BlockKind.MLP:
                return sum(a * b + per_unit * b for a, b in self._maps(in_width))
            case BlockKind.CROSS:
                return sum(2 * in_width * rank + in_width for rank in self.widths)
            case BlockKind.MASK:
                hidden, width = self.widths
                mask = in_width * hidden + hidden + hidden * in_width + in_width
                return mask + (2 * in_width if self.norm else 0) + in_width * width + per_unit * width
            case BlockKind.LINEAR:
                return in_width * self.widths[0]
            case BlockKind.PART:
                return len(self.columns(in_width)) * self.widths[2]
            case BlockKind.FACTORISATION_MACHINE:
                return 2 * in_width * self.widths[0] + self.widths[0]
            case BlockKind.GROUP_NORM:
                return 2 * self.widths[0]
            case BlockKind.GRU | BlockKind.GRU_LAST:
                return cell_params(self.widths)
            case _ if self.kind.convolves:
                found = stages(self.kind, self.widths)
                return sum(stage.num_weights + per_unit * stage.result.channels for stage in found)
            case _:
                return 0

    def macs(self, in_width: int) -> int:
        """Multiply-accumulates per example for an input of this width; normalisations and pooling count nothing."""
        match self.kind:
            case BlockKind.MLP | BlockKind.LINEAR:
                return sum(a * b for a, b in self._maps(in_width))
            case BlockKind.PART:
                return len(self.columns(in_width)) * self.widths[2]
            case BlockKind.CROSS:
                return sum(2 * in_width * rank + in_width for rank in self.widths)
            case BlockKind.MASK:
                hidden, width = self.widths
                return 2 * in_width * hidden + in_width + in_width * width
            case BlockKind.FACTORISATION_MACHINE:
                return 3 * in_width * self.widths[0]
            case BlockKind.GRU | BlockKind.GRU_LAST:
                return cell_macs(self.widths) * read_sequence(self.widths).steps
            case _ if self.kind.convolves:
                return sum(stage.macs for stage in stages(self.kind, self.widths))
            case _:
                return 0

    def _maps(self, in_width: int) -> tuple[tuple[int, int], ...]:
        return tuple(pairwise((in_width, *self.widths)))
