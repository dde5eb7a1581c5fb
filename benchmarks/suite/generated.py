"""Data that is generated: planted clusters of tasks, and the two tasks of the MMoE paper's synthetic experiment."""

from __future__ import annotations

from typing import Any

from benchmarks.suite.data_sets import DataSet, Document, regression

_DIMS = 32


def generated(*, quick: bool) -> list[DataSet]:
    """Two and three clusters of six and twenty tasks, and pairs of tasks of three correlations."""
    if quick:
        return [_planted(clusters=2, num_tasks=6, rows=1_000), _mmoe(correlation=0.5, rows=1_000)]
    found = [_planted(clusters=clusters, num_tasks=n, rows=10_000) for clusters in (2, 3) for n in (6, 20)]
    return found + [_mmoe(correlation=correlation, rows=10_000) for correlation in (0.5, 0.9, 1.0)]


def _planted(*, clusters: int, num_tasks: int, rows: int) -> DataSet:
    name = f"planted/{clusters} clusters, {num_tasks} tasks, {rows} rows"
    return _of_generator(name, {"clusters": clusters, "correlation": 0.0}, num_tasks=num_tasks, rows=rows)


def _mmoe(*, correlation: float, rows: int) -> DataSet:
    name = f"mmoe-synthetic/p = {correlation}, {rows} rows"
    return _of_generator(name, {"clusters": 2, "correlation": correlation}, num_tasks=2, rows=rows)


def _of_generator(name: str, options: dict[str, Any], *, num_tasks: int, rows: int) -> DataSet:
    whole = options | {"num_tasks": num_tasks, "rows": rows, "dims": _DIMS}

    def write(_: object, draw: int) -> Document:
        source = {"kind": "catalogue", "name": "planted", "options": whole | {"seed": draw}}
        return {"source": source}

    return DataSet(name=name, write=write, tasks=regression(*(f"task_{n}" for n in range(num_tasks))))
