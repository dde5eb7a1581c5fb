"""The shape of a batch's inputs, as far as parameters and costs depend on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InputShape:
    """What an encoder turns into one vector per row: embeddings, then numbers, then bags of embeddings.

    Attributes:
        vocabularies: rows of each categorical feature's table, the out-of-vocabulary row included.
        embedding_widths: width of each categorical feature's embedding.
        num_numeric: numeric inputs, missing indicators and dense vectors included.
        bag_vocabularies: rows of each multi-valued feature's table.
        bag_widths: width of each multi-valued feature's embedding.
    """

    vocabularies: tuple[int, ...] = ()
    embedding_widths: tuple[int, ...] = ()
    num_numeric: int = 0
    bag_vocabularies: tuple[int, ...] = ()
    bag_widths: tuple[int, ...] = ()

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
