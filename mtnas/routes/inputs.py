"""The shape of a batch's inputs, as far as parameters and costs depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtnas.routes.number_maps import NumberMaps

LARGE_TABLE = 2**18  # elements of one candidate's table; measured by benchmarks/sparse_tables.py (decision 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputShape:
    """What an encoder turns into one vector per row: embeddings, numbers as they are, mapped numbers, bags.

    Attributes:
        vocabularies: rows of each categorical feature's table, the out-of-vocabulary row included.
        embedding_widths: width of each categorical feature's embedding, or of its indicators.
        one_hot: categorical features that have an indicator of 0 or 1 per known value in place of an embedding.
        num_numeric: numeric inputs of a batch; missing indicators, dense vectors and the places of numbers included.
        numbers: which of them become vectors, and how; ``None`` leaves all as they are.
        bag_vocabularies: rows of each multi-valued feature's table.
        bag_widths: width of each multi-valued feature's embedding.
        large_table: elements from which on a table is large: packs train it row by row, as batches read it.
    """

    vocabularies: tuple[int, ...] = ()
    embedding_widths: tuple[int, ...] = ()
    one_hot: tuple[int, ...] = ()
    num_numeric: int = 0
    numbers: NumberMaps | None = None
    bag_vocabularies: tuple[int, ...] = ()
    bag_widths: tuple[int, ...] = ()
    large_table: int = LARGE_TABLE

    @property
    def width(self) -> int:
        """Width of the encoded vector."""
        taken = 0 if self.numbers is None else len(self.numbers.columns) + len(self.numbers.places)
        return sum(self.embedding_widths) + self.num_numeric - taken + self.mapped_width + sum(self.bag_widths)

    @property
    def kept_numbers(self) -> tuple[int, ...]:
        """Positions of the numeric inputs that stand in the vector as they are."""
        taken = set() if self.numbers is None else {*self.numbers.columns, *self.numbers.places}
        return tuple(number for number in range(self.num_numeric) if number not in taken)

    @property
    def mapped_width(self) -> int:
        """Width of all mapped numbers together."""
        return 0 if self.numbers is None else len(self.numbers.columns) * self.numbers.width

    @property
    def num_params(self) -> int:
        """Parameters of the embedding tables, and of the maps of numbers."""
        sizes = zip(self.vocabularies, self.embedding_widths, strict=True)
        tables = [size for feature, size in enumerate(sizes) if feature not in self.one_hot]
        bags = zip(self.bag_vocabularies, self.bag_widths, strict=True)
        maps = 0 if self.numbers is None else self.numbers.num_params
        return sum(rows * width for rows, width in (*tables, *bags)) + maps

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a row; looking tables up counts nothing."""
        return 0 if self.numbers is None else self.numbers.macs

    @property
    def table_groups(self) -> tuple[TableGroup, ...]:
        """Categorical features whose tables lie in one: those of one width, small ones and large ones apart."""
        sizes = zip(self.vocabularies, self.embedding_widths, strict=True)
        kinds = {f: (self._is_large(*size), size[1]) for f, size in enumerate(sizes) if f not in self.one_hot}
        return tuple(
            TableGroup(width=width, features=tuple(f for f in kinds if kinds[f] == (large, width)), large=large)
            for large, width in sorted(set(kinds.values()))
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
