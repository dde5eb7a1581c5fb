"""Free gates: near the identity at the start, and one number per connection."""

from __future__ import annotations

import pytest
import torch

from mtnas.routes import NAMED_ROUTES
from mtnas.routes.schemes.by_name import Size
from mtnas.supernets import Supernet
from mtnas.supernets.gates.free import start_values
from mtnas.supernets.junctions import JunctionGroup
from tests.supernets.gates.one_junction import INPUTS, TOWERS


def test_cross_stitch_starts_near_the_identity() -> None:
    named = NAMED_ROUTES["cross_stitch"](TOWERS, Size(layers=2, width=4))
    net = Supernet(named.graph, INPUTS, [0], dtype=torch.float64)
    seen = 0
    for group in net.gates.values():
        assert isinstance(group, JunctionGroup)
        for index, junction in enumerate(group.names):
            if "free" in group.kinds:
                task = junction.rsplit(".", 1)[-1]
                own = [source.endswith(f".{task}") for source in group.sources_of[index]]
                expected = [0.9 if mine else pytest.approx(0.1) for mine in own]
                assert group.kinds["free"].values[0, index].tolist() == expected
                seen += 1
    assert seen == 4


@pytest.mark.parametrize("own", [[True, False], [True, True, False, False, False], [False] * 3, [True] * 2])
def test_start_values_sum_to_one(own: list[bool]) -> None:
    assert sum(start_values(own)) == pytest.approx(1.0)
