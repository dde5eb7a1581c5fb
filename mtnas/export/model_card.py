"""The model card of an export: what it is, how good it was, on which data, and where it should not be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mtnas.data.schema import DataSchema
from mtnas.export.manifest import Manifest

TEXT = """# Model card: {digest}

![which task uses which sub-network](route.svg)

{what} for {num_tasks} tasks, {num_params:,} parameters.
`README.md` says how to use it; `manifest.json` holds the provenance and the sha256 of every file.

## Figures

{figures}

## Data

{licence}

| column | kind | what training saw |
|---|---|---|
{columns}

## Limits

- The figures are those of the data above. Rows that come from elsewhere or later may be predicted worse; nothing here
  measures that.
- Probabilities were not calibrated after training, and nothing was measured on subgroups of rows.
- Categories and elements that training did not see are taken as unknown; what numbers far outside its
  range give was not measured.
"""


def model_card(manifest: Manifest, schema: DataSchema, *, licence: str | None = None) -> str:
    """The text of ``MODEL_CARD.md``. ``licence``: of the data, as its publisher states it; ``None`` if unknown."""
    return TEXT.format(
        digest=manifest.route.digest[:12],
        what=f"An ensemble of {len(manifest.members)} members" if manifest.members else "A network",
        num_tasks=len(manifest.tasks),
        num_params=manifest.num_params,
        figures="\n".join(_figures(manifest)),
        licence=f"Licence of the data: {licence}." if licence else "The licence of the data is not known to mtnas.",
        columns="\n".join(_columns(schema)),
    )


def _figures(manifest: Manifest) -> Iterator[str]:
    """One line for every figure, whatever the nesting of the provenance: ``part.task.metric``."""
    found = list(_leaves(manifest.provenance.metrics))
    if not found:
        yield "None were handed to this export."
        return
    yield from ("| figure | value |", "|---|---|")
    yield from (f"| {_cell(name)} | {value:.4g} |" for name, value in found)


def _leaves(values: Any, start: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from _leaves(value, f"{start}.{name}" if start else str(name))
    elif isinstance(values, int | float) and not isinstance(values, bool) and math.isfinite(values):
        yield start, float(values)


def _columns(schema: DataSchema) -> Iterator[str]:
    for column in schema.categorical:
        yield _row(column.name, "categorical", f"{len(column.values)} categories")
    for number in schema.numeric:
        missing = ", missing values too" if number.indicator else ""
        yield _row(number.name, "numeric", f"centre {number.mean:.4g}, scale {number.scale:.4g}{missing}")
    for vector in schema.dense:
        yield _row(vector.name, "dense vector", f"{len(vector.mean)} numbers")
    for bag in schema.bags:
        yield _row(bag.name, "multi-valued", f"{len(bag.values)} elements")
    for image in schema.images:
        yield _row(image.name, "image", " x ".join(map(str, image.shape)))


def _row(name: str, kind: str, seen: str) -> str:
    return f"| {_cell(name)} | {kind} | {seen} |"


def _cell(text: str) -> str:
    """Any text as code inside a cell, on one line."""
    plain = repr(text)[1:-1].replace("`", "'").replace("|", "\\|")
    return f"`{plain}`"
