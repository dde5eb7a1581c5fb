"""Stands in for ``mtnas/data/columns/value_text.py``, of which an export gets a copy."""

from mtnas.data.columns.value_text import Places, Spelling, is_missing, number_of

__all__ = ["Places", "Spelling", "is_missing", "number_of"]
