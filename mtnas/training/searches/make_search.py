"""From a specification to the search over shared weights that carries it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mtnas.search.specs.gradient_specs import GradientSearch
from mtnas.search.specs.supernet_specs import OneShotSearch, ReinforceSearch, SharedWeightsSearch, SparseSharingSearch
from mtnas.training.searches.gradient import GradientSearcher
from mtnas.training.searches.one_shot import OneShotSearcher
from mtnas.training.searches.reinforce import ReinforceSearcher
from mtnas.training.searches.shared_supernet import Ground
from mtnas.training.searches.sparse_sharing import SparseSharingSearcher
from mtnas.training.searches.supernet_search import SupernetSearch

SEARCHERS: dict[type[SharedWeightsSearch], Callable[[Ground, Any], SupernetSearch]] = {
    ReinforceSearch: ReinforceSearcher,
    OneShotSearch: OneShotSearcher,
    SparseSharingSearch: SparseSharingSearcher,
    GradientSearch: GradientSearcher,
}


def make_search(ground: Ground, searches: Sequence[SharedWeightsSearch]) -> SupernetSearch:
    """K searches of one kind in one pack.

    Args:
        ground: what to search on.
        searches: specifications, one per search.

    Raises:
        SpaceError: a space without the choices that the method makes.
    """
    make = next(make for kind, make in SEARCHERS.items() if isinstance(searches[0], kind))
    return make(ground, searches)
