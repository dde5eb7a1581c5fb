"""The shape of a batch's inputs, as far as parameters and costs depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LARGE_TABLE = 2**18  # elements of one candidate's table; measured by benchmarks/sparse_tables.py (decision 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputShape:
    """What an encoder turns into one vector per row: embeddings, then numbers, then bags of embeddings.

    Attributes:
        vocabularies: rows of each categorical feature's table, the out-of-vocabulary row included.
        embedding_widths: width of each categorical feature's embedding.
        num_numeric: numeric inputs, missing indicators and dense vectors included.
        bag_vocabularies: rows of each multi-valued feature's table.
        bag_widths: width of each multi-valued feature's embedding.
        large_table: elements from which on a table is large: packs train it row by row, as batches read it.
    """

    vocabularies: tuple[int, ...] = ()
    embedding_widths: tuple[int, ...] = ()
    num_numeric: int = 0
    bag_vocabularies: tuple[int, ...] = ()
    bag_widths: tuple[int, ...] = ()
    large_table: int = LARGE_TABLE

    @property
    def width(self) -> int:
        """Width of the encoded vector."""
        return sum(self.embedding_widths) + self.num_numeric + sum(self.bag_widths)

    @property
    def num_params(self) -> int:
        """Parameters of the embedding tables."""
        tables = zip(self.vocabularies, self.embedding_widths, strict=True)
        bags = zip(self.bag_vocabularies, self.bag_widths, strict=True)
        return sum(rows * width for rows, width in (*tables, *bags))

    @property
    def table_groups(self) -> tuple[TableGroup, ...]:
        """Categorical features whose tables lie in one: those of one width, small ones and large ones apart."""
        sizes = zip(self.vocabularies, self.embedding_widths, strict=True)
        kinds = [(self._is_large(rows, width), width) for rows, width in sizes]
        return tuple(
            TableGroup(
                width=width, features=tuple(f for f, kind in enumerate(kinds) if kind == (large, width)), large=large
            )
            for large, width in sorted(set(kinds))
        )

    @property
    def large_bags(self) -> tuple[int, ...]:
        """Multi-valued features whose tables are large."""
        sizes = zip(self.bag_vocabularies, self.bag_widths, strict=True)
        return tuple(bag for bag, (rows, width) in enumerate(sizes) if self._is_large(rows, width))

    @property
    def large_tables(self) -> tuple[LargeTable, ...]:
        """All large tables, those of multi-valued features last."""
        groups = [group for group in self.table_groups if group.large]
        return (
            *(
                LargeTable(
                    rows=sum(self.vocabularies[feature] for feature in group.features),
                    width=group.width,
                    features=group.features,
                )
                for group in groups
            ),
            *(
                LargeTable(rows=self.bag_vocabularies[bag], width=self.bag_widths[bag], bag=bag)
                for bag in self.large_bags
            ),
        )

    def _is_large(self, rows: int, width: int) -> bool:
        return rows * width >= self.large_table


@dataclass(frozen=True, slots=True, kw_only=True)
class TableGroup:
    """Categorical features whose embeddings lie in one table.

    Attributes:
        width: of all their embeddings.
        features: their numbers, rising; their rows follow each other.
        large: whether packs train the table row by row.
    """

    width: int
    features: tuple[int, ...]
    large: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeTable:
    """A table that packs train row by row.

    Attributes:
        rows: of all its features.
        width: of a row.
        features: the categorical features whose embeddings it holds.
        bag: the multi-valued feature, in place of categorical ones.
    """

    rows: int
    width: int
    features: tuple[int, ...] = ()
    bag: int | None = None

    @property
    def num_params(self) -> int:
        """Elements."""
        return self.rows * self.width

    def most_read(self, num_rows: int, bag_lengths: Sequence[int]) -> int:
        """How many different rows a batch can read: of ``num_rows`` rows, with bags padded to these lengths."""
        return min(self.rows, num_rows * (len(self.features) if self.bag is None else bag_lengths[self.bag]))
