"""The Route: one point of a space, as a value with a canonical text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

from mtnas.errors import SpaceError
from mtnas.routes.blocks.block import Block
from mtnas.routes.nodes import NO_QUERY, EdgeState, GateKind, Junction

_SOURCE = r"~?[\w.\-]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What a route chooses at one junction.

    Attributes:
        inputs: the active sources.
        forward_only: those of the inputs whose gradients stop here.
        gate: how the inputs get their values.
        query: what the gate looks at; ``none`` for gates that take no query.

    Raises:
        SpaceError: no input, an input twice, a query where none is taken.
    """

    inputs: tuple[str, ...]
    forward_only: tuple[str, ...] = ()
    gate: GateKind = GateKind.PASS
    query: str = NO_QUERY

    def __post_init__(self) -> None:
        if not self.inputs or len(set(self.inputs)) != len(self.inputs):
            raise SpaceError(expected="at least one input, none twice", found=str(self.inputs), where="mix")
        if not set(self.forward_only) <= set(self.inputs):
            raise SpaceError(expected="forward-only inputs among the inputs", found=str(self), where="mix")
        if (self.query != NO_QUERY) != self.gate.takes_query:
            raise SpaceError(expected="a query exactly for gates that take one", found=self.text, where="mix")
        if (self.gate is GateKind.PASS) != (len(self.inputs) == 1):
            raise SpaceError(expected="gate 'pass' exactly for one input", found=self.text, where="mix")

    @property
    def text(self) -> str:
        """Canonical text, such as ``l1.0+~l1.2:softmax(input)`` (``~`` marks forward-only)."""
        names = "+".join(("~" if name in self.forward_only else "") + name for name in self.inputs)
        query = f"({self.query})" if self.gate.takes_query else ""
        return f"{names}:{self.gate}{query}"

    @staticmethod
    def parse(text: str) -> Mix:
        """Read the canonical text back.

        Raises:
            SpaceError: not the text of a mix.
        """
        match = re.fullmatch(rf"({_SOURCE}(?:\+{_SOURCE})*):(\w+)(?:\((.+)\))?", text)
        if match is None or match[2] not in set(GateKind):
            raise SpaceError(expected="inputs:gate(query)", found=text, where="route")
        names = match[1].split("+")
        return Mix(
            inputs=tuple(name.removeprefix("~") for name in names),
            forward_only=tuple(name[1:] for name in names if name.startswith("~")),
            gate=GateKind(match[2]),
            query=match[3] or NO_QUERY,
        )

    @staticmethod
    def of(
        junction: Junction,
        states: Mapping[str, EdgeState],
        *,
        gate: GateKind | None = None,
        query: str | None = None,
    ) -> Mix:
        """The mix of these active edges in the junction's order, in normal form (one input: ``pass``)."""
        inputs = tuple(source for source in junction.sources if source in states)
        forward_only = tuple(source for source in inputs if states[source] is EdgeState.FORWARD_ONLY)
        if len(inputs) == 1:
            return Mix(inputs=inputs, forward_only=forward_only)
        gate = gate or next(kind for kind in junction.gates if kind is not GateKind.PASS)
        chosen_query = (query or junction.queries[0]) if gate.takes_query else NO_QUERY
        return Mix(inputs=inputs, forward_only=forward_only, gate=gate, query=chosen_query)


@dataclass(frozen=True, slots=True)
class Route:
    """Which edges are on at every junction and which block fills every slot.

    Junctions and slots that no tower can reach may be left out. Entries are sorted by name: ``Route.of`` sorts them.

    Attributes:
        mixes: pairs of junction name and its mix.
        blocks: pairs of slot name and its block.

    Raises:
        SpaceError: entries out of order, or two of one name.
    """

    mixes: tuple[tuple[str, Mix], ...]
    blocks: tuple[tuple[str, Block], ...]

    def __post_init__(self) -> None:
        for names in ([name for name, _ in self.mixes], [name for name, _ in self.blocks]):
            if any(first >= second for first, second in pairwise(names)):
                raise SpaceError(expected="entries sorted by name, none twice", found=str(names), where="route")

    @staticmethod
    def of(mixes: Mapping[str, Mix], blocks: Mapping[str, Block]) -> Route:
        """A route from mappings."""
        return Route(mixes=tuple(sorted(mixes.items())), blocks=tuple(sorted(blocks.items())))

    def mix_of(self) -> dict[str, Mix]:
        """Mixes by junction name."""
        return dict(self.mixes)

    def block_of(self) -> dict[str, Block]:
        """Blocks by slot name."""
        return dict(self.blocks)

    def replace(self, *, mixes: Mapping[str, Mix] | None = None, blocks: Mapping[str, Block] | None = None) -> Route:
        """The route with some entries exchanged."""
        return Route.of(self.mix_of() | dict(mixes or {}), self.block_of() | dict(blocks or {}))

    def only(self, *, junctions: Iterable[str], slots: Iterable[str]) -> Route:
        """The route's entries for these nodes."""
        kept_junctions, kept_slots = set(junctions), set(slots)
        return Route(
            mixes=tuple(pair for pair in self.mixes if pair[0] in kept_junctions),
            blocks=tuple(pair for pair in self.blocks if pair[0] in kept_slots),
        )

    @property
    def text(self) -> str:
        """One line; equal routes have equal texts, and ``parse`` reads it back."""
        mixes = (f"{name}<-{mix.text}" for name, mix in self.mixes)
        blocks = (f"{name}={block.text}" for name, block in self.blocks)
        return "; ".join((*mixes, *blocks))

    @staticmethod
    def parse(text: str) -> Route:
        """Read a route's text back.

        Raises:
            SpaceError: not the text of a route.
        """
        mixes: list[tuple[str, Mix]] = []
        blocks: list[tuple[str, Block]] = []
        for entry in text.split("; "):
            if "<-" in entry:
                name, _, rest = entry.partition("<-")
                mixes.append((name, Mix.parse(rest)))
            elif "=" in entry:
                name, _, rest = entry.partition("=")
                blocks.append((name, Block.parse(rest)))
            else:
                raise SpaceError(expected="junction<-mix or slot=block", found=repr(entry), where="route")
        by_name = itemgetter(0)
        return Route(mixes=tuple(sorted(mixes, key=by_name)), blocks=tuple(sorted(blocks, key=by_name)))
