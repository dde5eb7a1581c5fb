"""AutoMTL's feature masks: experts choose the parts of the input that they read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtnas.errors import SpaceError
from mtnas.routes import Block, BlockKind, InputShape, Route, Tower
from mtnas.supernets import Selection, Supernet
from mtnas.training.feeding.rows import Batch
from search_spaces.automtl import automtl_space

TOWERS = tuple(Tower(task=name, reads="", hidden=()) for name in ("a", "b"))
INPUTS = InputShape(num_numeric=7)
SPACE = automtl_space(TOWERS, experts=2, operations=1, hidden=(3,), width=4, feature_parts=3)


def with_parts(route: Route, parts: tuple[int, ...]) -> Route:
    """The route with these parts for every expert."""
    mixes = route.mix_of()
    for expert in range(2):
        wanted = {f"f{expert}.{part}" for part in parts}
        name = f"to.e{expert}.1"
        mixes[name] = next(mix for mix in SPACE.mixes(SPACE.graph.junction_of()[name]) if set(mix.inputs) == wanted)
    return Route.of(mixes, route.block_of())


@pytest.mark.parametrize(("parts", "columns"), [((0,), range(2)), ((1,), range(2, 4)), ((0, 2), (0, 1, 4, 5, 6))])
def test_units_of_parts_that_are_left_out_change_nothing(parts: tuple[int, ...], columns: tuple[int, ...]) -> None:
    route = with_parts(SPACE.sample(np.random.default_rng(0)), parts)
    net = Supernet(SPACE.graph, INPUTS, [0])
    for number, group in enumerate(net.gates.values()):
        for parameter in group.parameters():  # gates see the whole input: make them constant
            with torch.no_grad():
                parameter.zero_() if number else parameter
    numeric = torch.randn(1, 5, 7, generator=torch.Generator().manual_seed(1))
    selection = Selection.from_route(SPACE.graph, route)

    def outputs(numeric: torch.Tensor) -> torch.Tensor:
        empty = torch.zeros(1, 5, 0)
        batch = Batch(categorical=empty.long(), numeric=numeric, bags=(), labels=empty, seed_of=None)
        return torch.cat(net(batch, selection), dim=-1)

    for column in range(7):
        moved = numeric.clone()
        moved[..., column] += 1
        assert torch.equal(outputs(moved), outputs(numeric)) is (column not in columns)


def test_parts_cover_the_input_once() -> None:
    blocks = [Block(kind=BlockKind.PART, widths=(number, 3, 4)) for number in (1, 2, 3)]
    assert [column for block in blocks for column in block.columns(7)] == list(range(7))


def test_a_part_that_does_not_exist_is_named() -> None:
    with pytest.raises(SpaceError, match="at most 3"):
        Block(kind=BlockKind.PART, widths=(4, 3, 8))


def test_more_parts_than_units_are_refused() -> None:
    with pytest.raises(SpaceError, match="at least 3 units"):
        Supernet(SPACE.graph, InputShape(num_numeric=2), [0])
