"""The nodes and edges of a route graph, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mtnas.routes.blocks import Block

INPUT_QUERY = "input"
MEAN_QUERY = "mean"
STATIC_QUERY = "static"
NO_QUERY = "none"
JUNCTION_QUERY = "junction:"


class GateKind(StrEnum):
    """How the active connections of a junction get their values (METHODS.md section 0)."""

    PASS = "pass"
    SUM = "sum"
    AVERAGE = "average"
    SOFTMAX = "softmax"

    @property
    def takes_query(self) -> bool:
        """Whether the values depend on a query vector."""
        return self is GateKind.SOFTMAX


class EdgeState(StrEnum):
    """What an active connection carries: values and gradients, or values only."""

    ON = "on"
    FORWARD_ONLY = "forward_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A permitted connection from a source (encoder or slot) into a junction.

    ``required`` edges are part of every route; ``states`` are the states an active one may have.
    """

    source: str
    states: tuple[EdgeState, ...] = (EdgeState.ON,)
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """Layer 0: turns a row's features into one vector. Its width comes from the data."""

    name: str = "x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Junction:
    """A point where sources are mixed into the vector that one or several slots or a tower read.

    Attributes:
        name: unique in the graph.
        edges: permitted connections; their order is the order of the gate's outputs.
        gates: gate kinds a route may choose here (``pass`` is always allowed for exactly one input).
        queries: query vectors of gates that take one: ``input`` (the encoder's vector), ``mean`` (mean of the chosen
            inputs), ``static`` (a learned vector that does not depend on the example: METHODS.md's task embedding,
            which followed by a linear map is a free vector of logits), ``junction:<name>`` (a junction's output).
        min_inputs: fewest active edges.
        max_inputs: most active edges, None for all.
    """

    name: str
    edges: tuple[Edge, ...]
    gates: tuple[GateKind, ...] = (GateKind.SOFTMAX,)
    queries: tuple[str, ...] = (INPUT_QUERY,)
    min_inputs: int = 1
    max_inputs: int | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the permitted sources, in gate order."""
        return tuple(edge.source for edge in self.edges)

    @property
    def most_inputs(self) -> int:
        """The in-degree bound with None resolved."""
        return len(self.edges) if self.max_inputs is None else min(self.max_inputs, len(self.edges))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place for a sub-network.

    Attributes:
        name: unique in the graph.
        layer: 1 for the first after the encoders; a slot reads sources of lower layers.
        reads: the junction whose output it takes.
        choices: blocks that may fill it.
        instance: slots with one instance name share (tie) their weights; None means the slot's own.
        owner: the task the slot belongs to, None for shared.
        frozen: whether its weights stay as they are.
    """

    name: str
    layer: int
    reads: str
    choices: tuple[Block, ...]
    instance: str | None = None
    owner: str | None = None
    frozen: bool = False

    @property
    def weights_of(self) -> str:
        """Name of the weights the slot uses."""
        return self.instance or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Tower:
    """A task's last layers: hidden widths (ReLU), then a linear map to ``outputs``."""

    task: str
    reads: str
    hidden: tuple[int, ...] = (32,)
    outputs: int = 1
