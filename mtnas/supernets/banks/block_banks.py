"""The bank of every block kind."""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.routes import Block, BlockKind
from mtnas.supernets.banks.bank import Bank, IdentityBank, MlpBank
from mtnas.supernets.banks.convolution_banks import ConvolutionBank, GroupNormBank, PoolBank
from mtnas.supernets.banks.interaction_banks import CrossBank, FactorisationBank, LinearBank, MaskBank, PartBank
from mtnas.supernets.banks.recurrent_banks import RecurrentBank
from mtnas.supernets.initial import Initial


def make_bank(sites: Sequence[str], block: Block, in_width: int, initial: Initial) -> Bank:
    """The bank of a block kind; ``sites`` name the instances for their initial weights."""
    match block.kind:
        case BlockKind.MLP:
            return MlpBank(sites, block, in_width, initial)
        case BlockKind.IDENTITY:
            return IdentityBank()
        case BlockKind.LINEAR:
            return LinearBank(sites, block, in_width, initial)
        case BlockKind.PART:
            return PartBank(sites, block, in_width, initial)
        case BlockKind.CROSS:
            return CrossBank(sites, block, in_width, initial)
        case BlockKind.MASK:
            return MaskBank(sites, block, in_width, initial)
        case BlockKind.FACTORISATION_MACHINE:
            return FactorisationBank(sites, block, in_width, initial)
        case BlockKind.MAX_POOL | BlockKind.AVERAGE_POOL:
            return PoolBank(block)
        case BlockKind.GROUP_NORM:
            return GroupNormBank(sites, block, initial)
        case BlockKind.GRU | BlockKind.GRU_LAST:
            return RecurrentBank(sites, block, in_width, initial)
        case _:
            return ConvolutionBank(sites, block, in_width, initial)
