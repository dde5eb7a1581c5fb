"""Routes: blocks, graphs, routes, their canonical form, their cost and their drawing. Standard library only."""

from mtnas.routes.blocks import Block, BlockKind
from mtnas.routes.canonical import canonical_route, route_digest
from mtnas.routes.cost import Cost, aligned_cost, cost
from mtnas.routes.drawing import to_svg
from mtnas.routes.graph import RouteGraph
from mtnas.routes.inputs import InputShape
from mtnas.routes.named import NAMED_ROUTES, NamedRoute
from mtnas.routes.narrow import narrow, shape_graph
from mtnas.routes.nodes import Edge, EdgeState, Encoder, GateKind, Junction, Slot, Tower
from mtnas.routes.reach import Reach, reach, task_path
from mtnas.routes.route import Mix, Route

__all__ = [
    "NAMED_ROUTES",
    "Block",
    "BlockKind",
    "Cost",
    "Edge",
    "EdgeState",
    "Encoder",
    "GateKind",
    "InputShape",
    "Junction",
    "Mix",
    "NamedRoute",
    "Reach",
    "Route",
    "RouteGraph",
    "Slot",
    "Tower",
    "aligned_cost",
    "canonical_route",
    "cost",
    "narrow",
    "reach",
    "route_digest",
    "shape_graph",
    "task_path",
    "to_svg",
]
