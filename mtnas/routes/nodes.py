"""The nodes and edges of a route graph, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mtnas.errors import SpaceError
from mtnas.routes.allowance import draw
from mtnas.routes.blocks.block import Block
from mtnas.routes.legality import check_choices, check_name, check_start, check_widths

INPUT_QUERY = "input"
MEAN_QUERY = "mean"
STATIC_QUERY = "static"
NO_QUERY = "none"
JUNCTION_QUERY = "junction:"
DEFAULT_RANK = 4


class GateKind(StrEnum):
    """How the active connections of a junction get their values (METHODS.md section 0)."""

    PASS = "pass"
    SUM = "sum"
    AVERAGE = "average"
    SOFTMAX = "softmax"
    FREE = "free"
    HARD_CONCRETE = "hard_concrete"
    DSELECT_K = "dselect_k"
    ATTENTION = "attention"
    CONTROLLER = "controller"
    BINARY = "binary"

    @property
    def takes_query(self) -> bool:
        """Whether the values depend on a query vector."""
        return self in (GateKind.SOFTMAX, GateKind.DSELECT_K, GateKind.CONTROLLER, GateKind.BINARY)

    @property
    def takes_all(self) -> bool:
        """Whether the gate's parameters address its sources by position, so that a route must use them all."""
        return self is GateKind.DSELECT_K


def code_length(num_sources: int) -> int:
    """Bits of the binary codes that name ``num_sources`` sources (DSelect-k)."""
    return max(1, (num_sources - 1).bit_length())


class EdgeState(StrEnum):
    """What an active connection carries: values and gradients, or values only."""

    ON = "on"
    FORWARD_ONLY = "forward_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A permitted connection from a source (encoder or slot) into a junction.

    ``required`` edges are part of every route; ``states`` are the states an active one may have; an edge with a
    ``transform`` multiplies its source by a square matrix of its own (SNR-Trans) before the gate sees it.

    Raises:
        SpaceError: no state, or one twice.
    """

    source: str
    states: tuple[EdgeState, ...] = (EdgeState.ON,)
    required: bool = False
    transform: bool = False

    def __post_init__(self) -> None:
        check_choices(self.states, "states", f"edge from {self.source}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """Layer 0: turns a row's features into one vector. Its width comes from the data.

    Several encoders read the same features by tables of their own.

    Attributes:
        name: unique among encoders and slots.
        frozen: whether its tables stay as they are.
        starts_from: the encoder of a trained network whose tables these begin as; None begins at random.
    """

    name: str = "x"
    frozen: bool = False
    starts_from: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name, "encoder")
        check_start(self.starts_from, frozen=self.frozen, where=f"encoder {self.name}")


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
        selectors: most connections that a ``dselect_k`` gate keeps (its k); other gates ignore it.
        rank: rank of a ``controller`` gate's map from query to logits; other gates ignore it.
        steps: where the sources are sequences (``mtnas.routes.blocks.sequences``), their steps, each of which is
            mixed on its own: the gate, its query included, sees a step as it sees a row elsewhere.
        frozen: whether its gate stays as it is.

    Raises:
        SpaceError: limits that no choice of inputs keeps to, no gate for several inputs, no query for a gate that
            takes one, a choice twice, a ``dselect_k`` gate beside another one or with edges that are not required, a
            rank or steps below 1, a matrix on an edge of sequences.
    """

    name: str
    edges: tuple[Edge, ...]
    gates: tuple[GateKind, ...] = (GateKind.SOFTMAX,)
    queries: tuple[str, ...] = (INPUT_QUERY,)
    min_inputs: int = 1
    max_inputs: int | None = None
    selectors: int = 2
    rank: int = DEFAULT_RANK
    steps: int = 1
    frozen: bool = False

    def __post_init__(self) -> None:
        draw(len(self.edges))
        check_name(self.name, "junctions")
        where = f"junction {self.name}"
        check_choices(self.sources, "edges from sources", where)
        check_choices(self.gates, "gates", where)
        if self.queries:
            check_choices(self.queries, "queries", where)
        required = sum(edge.required for edge in self.edges)
        if self.min_inputs < 1 or max(self.min_inputs, required) > self.most_inputs:
            raise SpaceError(
                expected="1 <= min_inputs <= max_inputs <= number of edges, and required edges within max_inputs",
                found=f"min {self.min_inputs}, max {self.max_inputs}, {len(self.edges)} edges, {required} required",
                where=where,
            )
        mixing = [gate for gate in self.gates if gate is not GateKind.PASS]
        if self.most_inputs > 1 and not mixing:
            raise SpaceError(expected="a gate that can mix several inputs", found=str(GateKind.PASS), where=where)
        if self.most_inputs > 1 and not self.queries and any(gate.takes_query for gate in mixing):
            raise SpaceError(expected="a query for the gates that take one", found="none", where=where)
        self._check_selectors(mixing, required)
        check_widths((self.rank, self.steps), where)
        if self.steps > 1 and any(edge.transform for edge in self.edges):
            raise SpaceError(expected="no matrix on edges of sequences", found="a matrix", where=where)

    def _check_selectors(self, mixing: Sequence[GateKind], required: int) -> None:
        where = f"junction {self.name}"
        whole = len(mixing) == 1 and required == len(self.edges)
        if any(gate.takes_all for gate in mixing) and not whole:
            expected = "dselect_k as the only gate and every edge required"
            raise SpaceError(expected=expected, found=f"{required} of {len(self.edges)} edges required", where=where)
        if GateKind.DSELECT_K in mixing and not 1 <= self.selectors <= len(self.edges):
            raise SpaceError(
                expected=f"1 to {len(self.edges)} selectors, one per source at most",
                found=str(self.selectors),
                where=where,
            )

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
        starts_from: the slot of a trained network whose weights these begin as (a clone); None begins at random.

    Raises:
        SpaceError: a layer below 1, no block to choose or one twice, a name that no route's text can hold, a clone
            that is frozen.
    """

    name: str
    layer: int
    reads: str
    choices: tuple[Block, ...]
    instance: str | None = None
    owner: str | None = None
    frozen: bool = False
    starts_from: str | None = None

    def __post_init__(self) -> None:
        draw(len(self.choices))
        check_name(self.name, "slots")
        where = f"slot {self.name}"
        if self.layer < 1:
            raise SpaceError(expected="layer >= 1", found=str(self.layer), where=where)
        check_choices([block.text for block in self.choices], "blocks", where)
        if self.instance is not None:
            check_name(self.instance, where)
        check_start(self.starts_from, frozen=self.frozen, where=where)

    @property
    def weights_of(self) -> str:
        """Name of the weights the slot uses."""
        return self.instance or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Tower:
    """A task's last layers: hidden widths (ReLU), then a linear map to ``outputs``.

    Attributes:
        task: whose tower it is.
        reads: the junction whose output it takes.
        hidden: widths of its hidden layers.
        outputs: logits or values.
        product_of: an earlier task; the tower's probability is multiplied by that task's, so that this one is about
            both events over the entire space (ESMM). Both have one logit.
        frozen: whether its weights stay as they are.

    Raises:
        SpaceError: a width or a number of outputs below 1, a product of several outputs.
    """

    task: str
    reads: str
    hidden: tuple[int, ...] = (32,)
    outputs: int = 1
    product_of: str | None = None
    frozen: bool = False

    def __post_init__(self) -> None:
        where = f"tower of {self.task!r}"
        check_widths(self.hidden, where)
        check_widths((self.outputs,), where)
        if self.product_of is not None and self.outputs != 1:
            raise SpaceError(expected="one output for a product of probabilities", found=str(self.outputs), where=where)
