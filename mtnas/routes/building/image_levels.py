"""Levels of convolutional components: the seven kinds of Gumbel-Matrix's Omniglot network (METHODS.md section 3)."""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes.blocks.block import Block, BlockKind
from mtnas.routes.blocks.convolutions import KERNELS, read_image, stages
from mtnas.routes.building.streams import Level

PASSING = BlockKind.IDENTITY
COMPONENTS = (
    BlockKind.CONV_3X3,
    BlockKind.CONV_5X5,
    BlockKind.CONV_7X7,
    BlockKind.CONV_1X7,
    BlockKind.MAX_POOL,
    BlockKind.AVERAGE_POOL,
    PASSING,
)


def stem_of(image: Sequence[int], channels: int) -> Block:
    """The 1x1 convolution that gives an image its channels."""
    return Block(kind=BlockKind.CONV_1X1, widths=(*image, channels, 1))


def image_levels(
    stem: Block, *, strides: Sequence[int], components: Sequence[BlockKind] = COMPONENTS, norm: bool = True
) -> tuple[Level, ...]:
    """Levels above a stem, all with its channels; group normalisation and ReLU follow the average of the components.

    Args:
        stem: the block below.
        strides: of the last operation of every component, by level; where it is not 1, the identity is a plain 1x1
            convolution.
        components: kinds of each level.
        norm: whether convolutions normalise.
    """
    channels = stem.widths[3]
    image = stages(stem.kind, stem.widths)[-1].result
    levels = []
    for number, stride in enumerate(strides, start=1):
        source = (image.channels, image.height, image.width)
        blocks = [_component(kind, source, channels, stride, norm=norm) for kind in components]
        result = stages(BlockKind.CONV_1X1, (*source, channels, stride))[-1].result
        after = Block(kind=BlockKind.GROUP_NORM, widths=(result.channels, result.height, result.width))
        instances = tuple(f"l{number}.{index}" for index in range(len(blocks)))
        levels.append(Level(components=tuple((block,) for block in blocks), instances=instances, after=after))
        image = read_image(after.widths)
    return tuple(levels)


def _component(kind: BlockKind, source: tuple[int, int, int], channels: int, stride: int, *, norm: bool) -> Block:
    if kind is PASSING and stride == 1:
        return Block(kind=kind)
    if kind is PASSING:
        return Block(kind=BlockKind.SHORTCUT, widths=(*source, channels, stride))
    if kind in KERNELS:
        return Block(kind=kind, widths=(*source, channels, stride), norm=norm)
    return Block(kind=kind, widths=(*source, stride))
