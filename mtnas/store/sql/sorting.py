"""Sorting by a figure that a user names: a column, or a key of the JSON column `values`; rows without it come last."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select, true

from mtnas.errors import SpecError

_FIGURE = re.compile(r"\w[\w.:@/ -]{0,499}")  # task names, which are identifiers of any script, become part of it


def in_order(
    connection: Connection, query: Select[Any], table: Table, *, sort: str, columns: Collection[str]
) -> Select[Any]:
    """`query` ordered by the figure `sort` (descending with a `-` before it), then by the primary key.

    Args:
        columns: names of the columns that count as figures.

    Raises:
        SpecError: not a figure's name, or no row of the query has that figure while some have others.
    """
    name = sort.removeprefix("-")
    if name in columns:
        figure: ColumnElement[Any] = table.columns[name]
    else:
        known = figures(connection, query, table)
        if not _FIGURE.fullmatch(name) or (known and name not in known):
            choices = ", ".join(sorted({*columns, *known}))
            raise SpecError(expected=f"one of {choices}, with or without a - before it", found=repr(sort), where="sort")
        figure = table.columns["values"][name].as_float()
    order = figure.desc() if sort.startswith("-") else figure.asc()
    return query.order_by(order.nulls_last(), *table.primary_key.columns)


def figures(connection: Connection, query: Select[Any], table: Table) -> tuple[str, ...]:
    """Names of all keys of `values` among the rows of `query`, sorted."""
    rows = query.with_only_columns(table.columns["values"], maintain_column_froms=True).subquery()
    if connection.dialect.name == "postgresql":
        keys = func.json_object_keys(rows.c["values"]).table_valued("key", name="figure").render_derived()
    else:
        keys = func.json_each(rows.c["values"]).table_valued("key", name="figure")
    names = select(keys.c.key).distinct().select_from(rows.join(keys, true()))
    return tuple(sorted(connection.execute(names).scalars()))


def checked_figures(values: Mapping[str, float | None], *, where: str) -> Mapping[str, float | None]:
    """`values`, once every name can be sorted by and every value is a number or None.

    Raises:
        SpecError: one is not.
    """
    for name, value in values.items():
        if not _FIGURE.fullmatch(name):
            raise SpecError(expected="a figure's name (letters, digits, _.:@/-)", found=repr(name), where=where)
        if not isinstance(value, int | float | None):
            raise SpecError(expected="a number or None", found=repr(value), where=f"{where}, figure {name!r}")
    return values
