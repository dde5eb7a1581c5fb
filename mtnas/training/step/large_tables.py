"""Large embedding tables, which a step trains row by row: those rows that its batch reads.

Legend: K pack, S data seeds, V rows of a table, W width, X numbers of rows that a batch holds, N places for rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtnas.supernets import Supernet
from mtnas.supernets.inputs.encoder import Encoder, Features, TableRows
from mtnas.training.feeding.distinct_rows import DistinctRows, for_candidates
from mtnas.training.step.optimiser import PackAdamW


class LargeTables:
    """The tables of a pack that ``InputShape`` calls large, with their moments, outside the flat buffers.

    What the flat buffers hold instead are places for rows, ``[K, N, W]`` per table. A step begins with :meth:`read`,
    which fills them with the distinct rows that the batch reads, and the optimiser with their moments; the places then
    are parameters like any other, to the forward pass, balancers, clipping and the optimiser. :meth:`write` puts the
    rows back into the tables. No other row changes in any bit, and no pass goes over a whole table.

    This is lazy Adam, as TensorFlow's ``LazyAdam`` and ``torch.optim.SparseAdam`` have it: a row's moments move only
    in steps that read it, while the bias correction counts all steps of its candidate. We depart from both where they
    differ from AdamW, so that a table that is read whole in every step is trained as a small one: ``eps`` is added
    after the bias correction, and a row is decayed, in steps that read it alone. The padding of bags reads row 0.

    N is what a batch can read at most, so that shapes never change and nothing waits for the device. Places too many
    repeat the last row, no gradient reaches them, and they are not put back. Numbers of rows are sorted once for each
    data seed, for all its candidates and all encoders.

    Attributes:
        places: by encoder and large table, parameters ``[K, N, W]``.
    """

    def __init__(self, net: Supernet, *, num_rows: int, bag_lengths: Sequence[int]) -> None:
        """Make the places, and take the tables from the parameters that a backward pass asks for.

        Args:
            net: the pack; tables of frozen encoders are left alone.
            num_rows: rows of a batch's features.
            bag_lengths: values that bags are padded to, by multi-valued feature.
        """
        places = [table.most_read(num_rows, bag_lengths) for table in net.inputs.large_tables]
        like = next(net.parameters())
        self.places = nn.ModuleList()
        self._encoder, self._tables = net.encoder, list[list[_Table]]()
        for node, encoder in zip(net.graph.encoders, net.encoders, strict=True):
            assert isinstance(encoder, Encoder)
            tables = zip(encoder.large_tables(), places, strict=True)
            trained = [] if node.frozen else list(tables)
            self._tables.append([_Table.of(table) for table, _ in trained])
            shapes = [(len(table), N, table.shape[2]) for table, N in trained]
            self.places.append(nn.ParameterList(like.new_zeros(shape) for shape in shapes))

    @torch.no_grad()
    def read(self, batch: Features, optimiser: PackAdamW) -> Reading:
        """Fill the places with the rows that a batch reads, and the optimiser's moments with theirs."""
        first = next((tables for tables in self._tables if tables), [])
        numbers = self._encoder.large_reads(batch) if first else ()
        sizes = [table.weights.shape[:2] for table in first]
        distinct = [DistinctRows.of(read, below=V) for read, (_, V) in zip(numbers, sizes, strict=True)]
        wanted = [
            for_candidates(found.rows, batch.seed_of, K, distance=V)
            for found, (K, V) in zip(distinct, sizes, strict=True)
        ]
        kept = [
            for_candidates(found.kept, batch.seed_of, K, distance=found.kept.shape[1])
            for found, (K, _) in zip(distinct, sizes, strict=True)
        ]
        for number, table, place in self._each():
            for whole, part in table.beside(place, optimiser):
                part.copy_(whole.flatten(0, 1).index_select(0, wanted[number]).view_as(part))
        places = [found.places for found in distinct]
        return Reading(
            large=[
                TableRows(rows=list(rows), places=places) if len(tables) else None
                for rows, tables in zip(self._places(), self._tables, strict=True)
            ],
            wanted=wanted,
            kept=kept,
        )

    @torch.no_grad()
    def write(self, reading: Reading, optimiser: PackAdamW) -> None:
        """Put the rows of :meth:`read` and their moments back, after the optimiser's step."""
        for number, table, place in self._each():
            for whole, part in table.beside(place, optimiser):
                rows = part.reshape(-1, part.shape[2]).index_select(0, reading.kept[number])
                whole.flatten(0, 1).index_copy_(0, reading.wanted[number], rows)

    @torch.no_grad()
    def keep_best(self, better_K: Tensor) -> None:
        """Remember the tables of these candidates, whole, as their best."""
        for k in self._which(better_K):
            for _, table, _ in self._each():
                table.best[k].copy_(table.weights[k])

    @torch.no_grad()
    def swap_best(self, scored_K: Tensor) -> None:
        """Exchange the tables of these candidates and their best ones; again to undo it."""
        for k in self._which(scored_K):
            for _, table, _ in self._each():
                current = table.weights[k].clone()
                table.weights[k].copy_(table.best[k])
                table.best[k].copy_(current)

    @torch.no_grad()
    def take_best(self, scored_K: Tensor) -> None:
        """Let these candidates' tables be their best ones for good."""
        for k in self._which(scored_K):
            for _, table, _ in self._each():
                table.weights[k].copy_(table.best[k])

    def names(self) -> set[str]:
        """Of the tensors of :meth:`state`."""
        return set(self._state())

    def state(self) -> dict[str, Tensor]:
        """Copies of the tables, their moments and the best tables."""
        return {name: tensor.clone() for name, tensor in self._state().items()}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of the same pack; other entries are left alone."""
        for name, tensor in self._state().items():
            tensor.copy_(state[name])

    def _state(self) -> dict[str, Tensor]:
        return {
            f"large_tables.{encoder}.{number}.{name}": tensor
            for encoder, tables in enumerate(self._tables)
            for number, table in enumerate(tables)
            for name, tensor in table.tensors().items()
        }

    def _places(self) -> Iterator[nn.ParameterList]:
        for places in self.places:
            assert isinstance(places, nn.ParameterList)
            yield places

    def _which(self, chosen_K: Tensor) -> Sequence[int]:
        """The chosen candidates; a pack without large tables need not know, and does not wait for the device."""
        return chosen_K.nonzero().flatten().tolist() if any(self._tables) else ()

    def _each(self) -> Iterator[tuple[int, _Table, nn.Parameter]]:
        """The number among an encoder's large tables, table and places of all."""
        for tables, places in zip(self._tables, self._places(), strict=True):
            for number, (table, place) in enumerate(zip(tables, places, strict=True)):
                yield number, table, place


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a step has read of large tables.

    Attributes:
        large: for every encoder what stands in for its tables.
        wanted: by table, rows of the candidates' tables one after another, ``[K * N]``.
        kept: by table, the places that go back to those rows, among all candidates', ``[K * N]``.
    """

    large: Sequence[TableRows | None]
    wanted: Sequence[Tensor]
    kept: Sequence[Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A table with all that training remembers of it, ``[K, V, W]`` each."""

    weights: Tensor
    momentum: Tensor
    variance: Tensor
    best: Tensor

    @classmethod
    def of(cls, parameter: nn.Parameter) -> _Table:
        weights = parameter.requires_grad_(False).detach()
        momentum, variance = torch.zeros_like(weights), torch.zeros_like(weights)
        return cls(weights=weights, momentum=momentum, variance=variance, best=weights.clone())

    def tensors(self) -> dict[str, Tensor]:
        return {"weights": self.weights, "momentum": self.momentum, "variance": self.variance, "best": self.best}

    def beside(self, place: nn.Parameter, optimiser: PackAdamW) -> Iterator[tuple[Tensor, Tensor]]:
        """Table and places: of the weights, of the first moments, of the second."""
        yield self.weights, place.detach()
        yield from zip((self.momentum, self.variance), optimiser.moments(place), strict=True)
