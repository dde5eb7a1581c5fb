"""Routes: blocks, graphs, routes, their canonical form, their cost and their drawing. Standard library only."""

from mtnas.routes.blocks.block import Block, BlockKind
from mtnas.routes.building.narrow import narrow, shape_graph
from mtnas.routes.canonical import canonical_route, route_digest
from mtnas.routes.costs.route_cost import Cost, aligned_cost, cost
from mtnas.routes.drawing import to_svg
from mtnas.routes.graph import RouteGraph
from mtnas.routes.inputs import InputShape
from mtnas.routes.nodes import Edge, EdgeState, Encoder, GateKind, Junction, Slot, Tower
from mtnas.routes.number_maps import NumberMaps
from mtnas.routes.reach import Reach, reach, task_path
from mtnas.routes.route import Mix, Route
from mtnas.routes.schemes.by_name import NAMED_ROUTES, NamedRoute

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
    "NumberMaps",
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
