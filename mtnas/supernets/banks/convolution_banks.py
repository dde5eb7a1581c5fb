"""Banks of convolutional blocks; activations are flat vectors of channels x rows x columns (METHODS.md section 3).

All instances of a pack run as one grouped convolution.

Legend: K pack, I instances, B batch, D input width, C channels, H rows, X columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt

import torch.nn.functional as F
from torch import Tensor, nn

from mtnas.routes import Block, BlockKind
from mtnas.routes.blocks.convolutions import POOL, norm_groups, read_image, stages, strided
from mtnas.supernets.banks.bank import Bank, picked
from mtnas.supernets.draws import Draws
from mtnas.supernets.initial import Initial


class ConvolutionBank(Bank):
    """I stacks of convolutions with 'same' padding, each with group normalisation and ReLU but for shortcuts."""

    def __init__(self, sites: Sequence[str], block: Block, in_width: int, initial: Initial) -> None:
        super().__init__()
        self.stages = stages(block.kind, block.widths)
        self.norm = block.norm and block.kind.normalises
        self.bends = block.kind is not BlockKind.SHORTCUT
        self.weights, self.biases, self.norms = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        for depth, stage in enumerate(self.stages):
            names = [f"{site}/{depth}" for site in sites]
            fan_in, channels = stage.source.channels * prod(stage.kernel), stage.result.channels
            shape = (channels, stage.source.channels, *stage.kernel)
            self.weights.append(initial.uniform(names, shape, sqrt(6 / fan_in)))
            self.biases.append(initial.constant(names, (channels,), 0.0))
            if self.norm:
                self.norms.extend([initial.constant(names, (channels,), value) for value in (1.0, 0.0)])

    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """See ``Bank``."""
        for depth, stage in enumerate(self.stages):
            weight, bias = picked(self.weights[depth], chosen), picked(self.biases[depth], chosen)
            K, num_instances, C = weight.shape[:3]
            readers = x.shape[1]  # one vector for all instances, or one each
            planes = _planes(x, stage.source.channels, stage.source.height, stage.source.width)
            out = F.conv2d(
                planes,
                weight.flatten(0, 2),
                bias.flatten(),
                stride=stage.stride,
                padding=(stage.kernel[0] // 2, stage.kernel[1] // 2),
                groups=K * readers,
            )
            if self.norm:
                out = F.group_norm(out, K * num_instances * norm_groups(C))
                scale, shift = (
                    picked(self.norms[2 * depth + part], chosen).flatten()[:, None, None] for part in (0, 1)
                )
                out = out * scale + shift
            x = _vectors(F.relu(out) if self.bends else out, K, num_instances)
        return x


class PoolBank(Bank):
    """I 3x3 poolings with 'same' padding; averages count no padding."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.kind, self.image, self.stride = block.kind, read_image(block.widths), block.widths[3]
        self.out_width = strided(self.image, self.stride, self.image.channels).size

    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """``x`` [K, I or 1, B, D]; as many as there are inputs."""
        planes = _planes(x, self.image.channels, self.image.height, self.image.width)
        if self.kind is BlockKind.MAX_POOL:
            out = F.max_pool2d(planes, POOL, self.stride, POOL // 2)
        else:
            out = F.avg_pool2d(planes, POOL, self.stride, POOL // 2, count_include_pad=False)
        return _vectors(out, *x.shape[:2])


class GroupNormBank(Bank):
    """I group normalisations with ReLU."""

    def __init__(self, sites: Sequence[str], block: Block, initial: Initial) -> None:
        super().__init__()
        self.image = read_image(block.widths)
        self.norm_scale, self.norm_shift = (
            nn.Parameter(initial.constant(sites, (self.image.channels,), value)) for value in (1.0, 0.0)
        )

    def forward(self, x: Tensor, noise: Draws | None, chosen: Sequence[int] | None = None) -> Tensor:
        """See ``Bank``."""
        K, readers, B, _ = x.shape
        C = self.image.channels
        flat = F.group_norm(x.reshape(K * readers * B, C, -1), norm_groups(C)).view(K, readers, B, C, -1)
        scale, shift = (picked(p, chosen)[:, :, None, :, None] for p in (self.norm_scale, self.norm_shift))
        return F.relu(flat * scale + shift).flatten(3)


def _planes(x_KIBD: Tensor, channels: int, height: int, width: int) -> Tensor:
    """``[B, K * I * C, H, X]``."""
    K, num_instances, B, _ = x_KIBD.shape
    return x_KIBD.permute(2, 0, 1, 3).reshape(B, K * num_instances * channels, height, width)


def _vectors(planes: Tensor, K: int, num_instances: int) -> Tensor:
    """``[K, I, B, D]``."""
    return planes.view(len(planes), K, num_instances, -1).permute(1, 2, 0, 3)
