"""A route as a vector of numbers, for surrogate models and distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtnas.routes import Route, canonical_route
from mtnas.spaces.space import SearchSpace


def encode(space: SearchSpace, route: Route) -> NDArray[np.float32]:
    """One entry per permitted edge, gate, query and block: 1 where the canonical route uses it, else 0.

    Equal architectures have equal vectors; the length depends on the space alone.
    """
    canonical = canonical_route(space.graph, route)
    mixes, blocks = canonical.mix_of(), canonical.block_of()
    values: list[bool] = []
    for junction in space.graph.junctions:
        mix = mixes.get(junction.name)
        values.extend(mix is not None and source in mix.inputs for source in junction.sources)
        values.extend(mix is not None and source in mix.forward_only for source in junction.sources)
        values.extend(mix is not None and mix.gate is gate for gate in junction.gates)
        values.extend(mix is not None and mix.query == query for query in junction.queries)
    for slot in space.graph.slots:
        values.extend(blocks.get(slot.name) == block for block in slot.choices)
    return np.array(values, dtype=np.float32)
