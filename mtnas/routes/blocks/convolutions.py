"""Convolutional blocks as arithmetic: images travel as flat vectors, and every block knows the image it reads.

The components of Gumbel-Matrix's Omniglot experiment (Maziarz et al., 2019, https://arxiv.org/abs/1910.04915, section
5.1; METHODS.md section 3). An activation of C channels, H rows and W columns is a vector of width C*H*W, so that
junctions, gates and towers treat images like any other vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

KERNELS = {
    "shortcut": ((1, 1),),
    "conv1x1": ((1, 1),),
    "conv3x3": ((3, 3), (3, 3)),
    "conv5x5": ((5, 5), (5, 5)),
    "conv7x7": ((7, 7), (7, 7)),
    "conv1x7": ((1, 7), (7, 1)),
}
LINEAR = frozenset({"shortcut"})  # nothing follows these convolutions
POOL = 3
GROUPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The shape of an activation: channels, rows, columns."""

    channels: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """Width of the flat vector."""
        return prod((self.channels, self.height, self.width))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One convolution with 'same' padding: its kernel, what it reads and what it gives."""

    kernel: tuple[int, int]
    stride: int
    source: Image
    result: Image

    @property
    def num_weights(self) -> int:
        """Weights of the kernel."""
        return prod(self.kernel) * self.source.channels * self.result.channels

    @property
    def macs(self) -> int:
        """Multiply-accumulates per example."""
        return self.num_weights * self.result.height * self.result.width


def read_image(numbers: tuple[int, ...]) -> Image:
    """The image that a block reads, from its first three numbers."""
    return Image(channels=numbers[0], height=numbers[1], width=numbers[2])


def stages(kind: str, numbers: tuple[int, ...]) -> tuple[Stage, ...]:
    """The convolutions of a block of this kind; the stride belongs to the last one.

    Args:
        kind: one of ``KERNELS``.
        numbers: channels, rows and columns that the block reads, channels that it gives, stride.
    """
    source, (channels, stride) = read_image(numbers), numbers[3:]
    found = []
    for position, kernel in enumerate(KERNELS[kind]):
        step = stride if position == len(KERNELS[kind]) - 1 else 1
        result = strided(source, step, channels)
        found.append(Stage(kernel=kernel, stride=step, source=source, result=result))
        source = result
    return tuple(found)


def strided(image: Image, stride: int, channels: int) -> Image:
    """The image after an operation with 'same' padding."""
    return Image(channels=channels, height=-(-image.height // stride), width=-(-image.width // stride))


def norm_groups(channels: int) -> int:
    """Groups of the group normalisation: four where they divide the channels, else one."""
    return GROUPS if channels % GROUPS == 0 else 1
