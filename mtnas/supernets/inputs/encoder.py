"""The encoder: a batch's features to one vector per row and candidate.

Legend: K pack, S data seeds, B batch, C categorical features, D numeric inputs, V table rows, N rows of a large table
that a batch reads, W width, M longest bag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import torch
from torch import Tensor, nn

from mtnas.routes import InputShape
from mtnas.supernets.initial import Initial
from mtnas.supernets.inputs.look_up import look_up, per_candidate
from mtnas.supernets.inputs.mapped_numbers import MappedNumbers
from mtnas.supernets.inputs.one_hot import OneHot

EMBEDDING_DEVIATION = 0.2


class BagFeature(Protocol):
    """A multi-valued feature of a batch."""

    @property
    def values(self) -> Tensor:
        """Row numbers of the table, ``[S, B, M]``."""

    @property
    def weights(self) -> Tensor:
        """Share of each value in the mean, ``[S, B, M]``; 0 in the padding."""


class Features(Protocol):
    """The input part of a batch."""

    @property
    def categorical(self) -> Tensor:
        """Row numbers of the tables, ``[S, B, C]``."""

    @property
    def numeric(self) -> Tensor:
        """``[S, B, D]``."""

    @property
    def bags(self) -> Sequence[BagFeature]:
        """One per multi-valued feature."""

    @property
    def seed_of(self) -> Tensor | None:
        """The data seed each candidate reads, ``[K]``, or None when S is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """Rows of large tables that a batch reads, to be read in place of the tables.

    Attributes:
        rows: ``[K, N, W]`` for every table, in the order of :meth:`Encoder.large_tables`.
        places: which of the N every number of :meth:`Encoder.large_reads` means, of the same shapes.
    """

    rows: Sequence[Tensor]
    places: Sequence[Tensor]


class Encoder(nn.Module):
    """Embeds categorical features and bags, and puts the numeric inputs beside them, as they are or mapped."""

    first_row: Tensor
    kept: Tensor

    def __init__(self, name: str, inputs: InputShape, initial: Initial) -> None:
        super().__init__()
        self.inputs = inputs
        self.groups = inputs.table_groups
        self.tables = nn.ParameterList()
        for group in self.groups:
            tables = [_table(initial, f"{name}/table.{f}", inputs.vocabularies[f], group.width) for f in group.features]
            self.tables.append(torch.cat(tables, dim=1))
        self.bags = nn.ParameterList(
            _table(initial, f"{name}/bag.{f}", rows, width)
            for f, (rows, width) in enumerate(zip(inputs.bag_vocabularies, inputs.bag_widths, strict=True))
        )
        self.numbers = None if inputs.numbers is None else MappedNumbers(name, inputs.numbers, initial)
        if inputs.numbers is not None:
            self.register_buffer("kept", torch.tensor(inputs.kept_numbers, dtype=torch.long), persistent=False)
        self.one_hot = OneHot(inputs) if inputs.one_hot else None
        first = [0] * len(inputs.vocabularies)
        for number, group in enumerate(self.groups):
            self.register_buffer(f"columns_{number}", torch.tensor(group.features), persistent=False)
            starts = accumulate((inputs.vocabularies[f] for f in group.features), initial=0)
            for feature, start in zip(group.features, starts, strict=False):
                first[feature] = start
        self.register_buffer("first_row", torch.tensor(first, dtype=torch.long), persistent=False)

    def large_tables(self) -> tuple[nn.Parameter, ...]:
        """The large tables ``[K, V, W]``, those of multi-valued features last."""
        tables = [table for group, table in zip(self.groups, self.tables, strict=True) if group.large]
        return (*tables, *(self.bags[bag] for bag in self.inputs.large_bags))

    def large_reads(self, batch: Features) -> tuple[Tensor, ...]:
        """Which rows of each large table a batch reads: ``[S, B, C]``, of multi-valued features ``[S, B, M]``."""
        rows_SBC = batch.categorical + self.first_row
        reads = [self._of_group(rows_SBC, number) for number, group in enumerate(self.groups) if group.large]
        return (*reads, *(batch.bags[bag].values for bag in self.inputs.large_bags))

    def forward(self, batch: Features, large: TableRows | None = None) -> Tensor:
        """``[K, B, width]``: embeddings, numbers as they are, mapped numbers, bags.

        ``large`` stands in for the large tables, where only what the batch reads of them matters.
        """
        K = next((weight.shape[0] for weight in self.parameters()), batch.numeric.shape[0])
        parts: dict[int, Tensor] = {}
        if self.one_hot is not None:
            parts |= self.one_hot(batch.categorical, batch.seed_of, K, dtype=batch.numeric.dtype)
        rows_SBC = batch.categorical + self.first_row
        given = iter(() if large is None else zip(large.rows, large.places, strict=True))
        for number, (group, whole) in enumerate(zip(self.groups, self.tables, strict=True)):
            if group.large and large is not None:
                table, chosen = next(given)
            else:
                table, chosen = whole, self._of_group(rows_SBC, number)
            embedded = look_up(table, chosen, batch.seed_of)
            if len(self.groups) == 1 and not parts:
                parts[0] = embedded.flatten(2)
            else:
                parts |= dict(zip(group.features, embedded.unbind(2), strict=True))
        encoded = [parts[feature] for feature in sorted(parts)]
        encoded += self._numbers(batch, K)
        for number, (whole, bag) in enumerate(zip(self.bags, batch.bags, strict=True)):
            table, chosen = (
                next(given) if large is not None and number in self.inputs.large_bags else (whole, bag.values)
            )
            weights = per_candidate(bag.weights, batch.seed_of, K)
            encoded.append((look_up(table, chosen, batch.seed_of) * weights.unsqueeze(-1)).sum(-2))
        return torch.cat(encoded, dim=-1) if len(encoded) > 1 else encoded[0]

    def _numbers(self, batch: Features, K: int) -> list[Tensor]:
        """The numeric inputs as they are, ``[K, B, D]``, then those that are mapped."""
        if not self.inputs.num_numeric:
            return []
        if self.numbers is None:
            return [per_candidate(batch.numeric, batch.seed_of, K)]
        kept = per_candidate(batch.numeric.index_select(-1, self.kept), batch.seed_of, K)
        return [kept, self.numbers(batch.numeric, batch.seed_of)]

    def _of_group(self, rows_SBC: Tensor, number: int) -> Tensor:
        """The columns of a group's features, without a list of them that would have to travel to the device."""
        if len(self.groups) == 1 and not self.inputs.one_hot:
            return rows_SBC
        return rows_SBC.index_select(-1, self.get_buffer(f"columns_{number}"))


def _table(initial: Initial, site: str, rows: int, width: int) -> Tensor:
    """Initial embeddings ``[K, rows, width]``; row 0, of unknown values, may never be trained and starts at zero."""
    table = initial.normal([site], (rows, width), EMBEDDING_DEVIATION)[:, 0]
    table[:, 0] = 0
    return table
