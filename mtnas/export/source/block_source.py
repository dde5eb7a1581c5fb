"""Blocks in a generated module: the layers of each ``nn.Sequential``, and the weights under their names."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from mtnas.routes import Block, BlockKind
from mtnas.routes.blocks.convolutions import POOL, norm_groups, stages
from mtnas.supernets.banks.bank import Bank, MlpBank
from mtnas.supernets.banks.convolution_banks import ConvolutionBank, GroupNormBank
from mtnas.supernets.banks.interaction_banks import CrossBank, FactorisationBank, LinearBank, MaskBank, PartBank
from mtnas.supernets.banks.recurrent_banks import RecurrentBank

Named = tuple[str, Tensor]


def layers_of(block: Block, in_width: int) -> list[str]:
    """Source of the layers of a block that reads this width; none for the identity."""
    match block.kind:
        case BlockKind.IDENTITY:
            return []
        case BlockKind.MLP:
            norm = block.norm
            pairs = pairwise((in_width, *block.widths))
            layers = ((f"nn.Linear({a}, {b})", f"nn.LayerNorm({b})" if norm else "", "nn.ReLU()") for a, b in pairs)
            return [layer for of_width in layers for layer in of_width if layer]
        case BlockKind.LINEAR:
            return [f"nn.Linear({in_width}, {block.widths[0]}, bias=False)"]
        case BlockKind.PART:
            columns = block.columns(in_width)
            product = f"nn.Linear({len(columns)}, {block.widths[2]}, bias=False)"
            return [f"Columns({columns.start}, {columns.stop})", product]
        case BlockKind.CROSS:
            return [f"CrossNetwork({in_width}, {list(block.widths)})"]
        case BlockKind.MASK:
            hidden, width = block.widths
            return [f"MaskBlock({in_width}, {hidden}, {width}, norm={block.norm})"]
        case BlockKind.GRU | BlockKind.GRU_LAST:
            return [f"Recurrent({', '.join(map(str, block.widths))}, last={block.kind is BlockKind.GRU_LAST})"]
        case BlockKind.FACTORISATION_MACHINE:
            return [f"FactorisationMachine({in_width}, {block.widths[0]})"]
        case _:
            return [f"nn.Unflatten(1, {block.widths[:3]})", *_image_layers(block), "nn.Flatten()"]


def _image_layers(block: Block) -> list[str]:
    if block.kind is BlockKind.GROUP_NORM:
        channels = block.widths[0]
        return [f"nn.GroupNorm({norm_groups(channels)}, {channels})", "nn.ReLU()"]
    if block.kind is BlockKind.MAX_POOL:
        return [f"nn.MaxPool2d({POOL}, {block.widths[3]}, {POOL // 2})"]
    if block.kind is BlockKind.AVERAGE_POOL:
        return [f"nn.AvgPool2d({POOL}, {block.widths[3]}, {POOL // 2}, count_include_pad=False)"]
    layers = []
    for stage in stages(block.kind, block.widths):
        channels, padding = stage.result.channels, (stage.kernel[0] // 2, stage.kernel[1] // 2)
        arguments = f"{stage.source.channels}, {channels}, {stage.kernel}, {stage.stride}, {padding}"
        norm = [f"nn.GroupNorm({norm_groups(channels)}, {channels})"] if block.norm else []
        follow = [*norm, "nn.ReLU()"] if block.kind.normalises else []
        layers += [f"nn.Conv2d({arguments})", *follow]
    return layers


def weights_of(bank: Bank, index: int) -> Iterator[Named]:
    """One instance's weights (K = 1) by their names inside the ``nn.Sequential`` of :func:`layers_of`."""
    match bank:
        case MlpBank():
            step = 3 if bank.norm else 2
            for depth, (weight, bias) in enumerate(zip(bank.weights, bank.biases, strict=True)):
                yield from linear(f"{step * depth}", weight[0, index], bias[0, index])
                if bank.norm:
                    yield f"{step * depth + 1}.weight", bank.norm_scales[depth][0, index]
                    yield f"{step * depth + 1}.bias", bank.norm_shifts[depth][0, index]
        case LinearBank():
            yield "0.weight", bank.weight[0, index].T
        case PartBank():
            yield "1.weight", bank.weight[0, index].T
        case CrossBank():
            for depth, (down, up, bias) in enumerate(zip(bank.downs, bank.ups, bank.biases, strict=True)):
                yield f"0.downs.{depth}.weight", down[0, index].T
                yield from linear(f"0.ups.{depth}", up[0, index], bias[0, index])
        case MaskBank():
            yield from linear("0.aggregation", bank.aggregation[0, index], bank.aggregation_bias[0, index])
            yield from linear("0.projection", bank.projection[0, index], bank.projection_bias[0, index])
            yield from linear("0.output", bank.weight[0, index], bank.bias[0, index])
            for place, name in enumerate(("inner", "outer") if len(bank.norms) else ()):
                yield f"0.{name}.weight", bank.norms[2 * place][0, index]
                yield f"0.{name}.bias", bank.norms[2 * place + 1][0, index]
        case FactorisationBank():
            yield from linear("0.linear", bank.weight[0, index], bank.bias[0, index])
            yield "0.factors", bank.factors[0, index]
        case ConvolutionBank():
            step = 3 if bank.norm else 2
            for depth, (weight, bias) in enumerate(zip(bank.weights, bank.biases, strict=True)):
                yield f"{1 + step * depth}.weight", weight[0, index]
                yield f"{1 + step * depth}.bias", bias[0, index]
                if bank.norm:
                    yield f"{2 + step * depth}.weight", bank.norms[2 * depth][0, index]
                    yield f"{2 + step * depth}.bias", bank.norms[2 * depth + 1][0, index]
        case RecurrentBank():
            for ours, theirs in (("read", "ih"), ("state", "hh")):
                yield f"0.cell.weight_{theirs}_l0", getattr(bank, f"weights_{ours}")[0, index].T
                yield f"0.cell.bias_{theirs}_l0", getattr(bank, f"biases_{ours}")[0, index]
        case GroupNormBank():
            yield "1.weight", bank.norm_scale[0, index]
            yield "1.bias", bank.norm_shift[0, index]


def linear(name: str, weight: Tensor, bias: Tensor) -> list[Named]:
    """A product ``x @ weight`` as ``nn.Linear`` keeps it."""
    return [(f"{name}.weight", weight.T), (f"{name}.bias", bias)]
