"""Search spaces: a route graph with constraints, and the moves a searcher makes in it."""

from mtnas.spaces.constraints import Constraints
from mtnas.spaces.moves import cross, fill, mutate
from mtnas.spaces.route_vector import encode
from mtnas.spaces.space import SearchSpace
from mtnas.spaces.within import within

__all__ = ["Constraints", "SearchSpace", "cross", "encode", "fill", "mutate", "within"]
