"""Vectors of routes: one per architecture."""

from __future__ import annotations

import numpy as np
import pytest

from mtnas.routes import canonical_route, route_digest
from mtnas.spaces import SearchSpace, encode
from tests.routes.random_graphs import random_graph, random_route


@pytest.mark.parametrize("seed", range(30))
def test_vectors_are_equal_exactly_for_equal_architectures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = SearchSpace(name="random", graph=random_graph(rng))
    digest_of: dict[bytes, str] = {}
    for _ in range(40):
        route = random_route(rng, space.graph)
        vector = encode(space, route)
        digest = route_digest(space.graph, route)
        assert digest_of.setdefault(vector.tobytes(), digest) == digest
        assert np.array_equal(vector, encode(space, canonical_route(space.graph, route)))
    assert len(set(digest_of.values())) == len(digest_of)


@pytest.mark.parametrize("seed", range(10))
def test_vectors_of_a_space_have_one_length_and_hold_zeros_and_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = SearchSpace(name="random", graph=random_graph(rng))
    vectors = [encode(space, space.sample(rng)) for _ in range(10)]
    assert len({vector.shape for vector in vectors}) == 1
    assert all(vector.dtype == np.float32 for vector in vectors)
    assert set(np.unique(np.stack(vectors))) <= {0.0, 1.0}
