"""Which slots' weights lie in one bank: those of a layer that are alike, and all that tied slots share.

A slot's weights are an *instance* of a block; tied slots (``Slot.instance``) use one instance, in one layer (streams)
or in several (a pool of blocks usable at any depth).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtnas.routes import Block, RouteGraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """Weights of equal blocks.

    Attributes:
        key: unique in the graph and made of the first layer and the order in it.
        block: which block.
        in_width: width of what it reads.
        instances: names of the weights, in the order of the bank.
        frozen: whether they stay as they are.
    """

    key: str
    block: Block
    in_width: int
    instances: tuple[str, ...]
    frozen: bool


def banks_of(graph: RouteGraph, widths: Mapping[str, int]) -> tuple[Bank, ...]:
    """The banks of a graph, in the order of its layers; a tie across layers merges what it connects."""
    members: list[tuple[Block, int, bool, dict[str, None], int]] = []
    of_layer: dict[tuple[int, Block, int, bool], int] = {}
    home: dict[tuple[Block, int, bool, str], int] = {}
    for slot in sorted(graph.slots, key=lambda slot: slot.layer):
        for block in slot.choices:
            in_width = widths[slot.reads]
            instance = (block, in_width, slot.frozen, slot.weights_of)
            place = (slot.layer, block, in_width, slot.frozen)
            number = home.get(instance, of_layer.get(place))
            if number is None:
                number = len(members)
                members.append((block, in_width, slot.frozen, {}, slot.layer))
                of_layer[place] = number
            home.setdefault(instance, number)
            members[number][3][slot.weights_of] = None
    found, in_layer = [], dict[int, int]()
    for block, in_width, frozen, instances, layer in members:
        index = in_layer.get(layer, 0)
        in_layer[layer] = index + 1
        found.append(
            Bank(
                key=f"{layer - 1}_{index}",
                block=block,
                in_width=in_width,
                instances=tuple(instances),
                frozen=frozen,
            )
        )
    return tuple(found)
