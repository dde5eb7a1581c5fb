"""The README of an export: what it predicts and how to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtnas.export.manifest import ExportedTask, Manifest
from mtnas.export.source.names import literal

TEXT = """# Multi-task network `{digest}`

{num_params:,} parameters, {macs:,} multiply-accumulates a row. It needs torch, safetensors and numpy, and nothing else.

| task | kind | prediction | label column |
|---|---|---|---|
{tasks}

## Use

```python
from model import load  # with this folder on the import path; or from <package>.model inside a package

model, preprocessing = load()
# one list a column; None is a missing value, and unknown categories are welcome
{rows}
predictions = model.predict(preprocessing(rows))
print(predictions[{first_task}])
```

`model(**model.tensors(preprocessing(rows)))` gives the logits, and standardised values of regressions. `CLASSES` in
`model.py` and `manifest.json` name the classes in the order of the probabilities. `model` is a plain `nn.Module`:
fine-tune it, move it to a device, or hand it to `torch.export`.

## Check

`python check.py` compares every file with its sha256 in `manifest.json` and the network's outputs for
`example_rows.json` with `expected_outputs.safetensors`; its exit code is 0 when all agree.

## Files

| file | holds |
|---|---|
| `model.py` | the network, one attribute per sub-network, gate and tower |
| `model.safetensors` | its weights |
| `preprocessing.py`, `value_text.py`, `preprocessing.json`, `vocabularies.json` | raw rows to arrays, as in training |
| `route.svg` | a drawing of which task uses which sub-network |
| `MODEL_CARD.md`, `job.json` | figures, data and limits; the job that made this, where there was one |
| `serve.py` | `uvicorn serve:app` serves `POST /predict` (needs fastapi and uvicorn) |
| `model.pt2`, `model.onnx` | where asked for: the network as one program over encoded rows |
| `manifest.json` | tasks, columns, route, cost, provenance, sha256 of every file |
| `check.py`, `example_rows.json`, `expected_outputs.safetensors` | the check; the rows are raw rows of the data |
"""

ENSEMBLE = """# Ensemble `{digest}`

{num_params:,} parameters, {macs:,} multiply-accumulates a row, of all members together. It needs torch, safetensors and
numpy, and nothing else.

| task | kind | prediction | label column |
|---|---|---|---|
{tasks}

Probabilities are averaged over the members, and so are values of regressions:

| member | route | share by task |
|---|---|---|
{members}

## Use

```python
from model import load  # with this folder on the import path; or from <package>.model inside a package

model, preprocessing = load()
# one list a column; None is a missing value, and unknown categories are welcome
{rows}
predictions = model.predict(preprocessing(rows))
print(predictions[{first_task}])
```

`model(**model.tensors(preprocessing(rows)))` gives the logits of the mean probabilities. `model.member(route, place)`
gives one network by itself, both counted from 0, as a plain `nn.Module`.

## Check

`python check.py` compares every file with its sha256 in `manifest.json` and the ensemble's outputs for
`example_rows.json` with `expected_outputs.safetensors`; its exit code is 0 when all agree.

## Files

| file | holds |
|---|---|
| `model.py`, `ensemble.py`, `ensemble.json` | the ensemble, and the shares of its members |
| `route_1.py` ... | the networks of each route |
| `model.safetensors` | weights, those of one route stacked, and what trees and linear models have learned |
| `preprocessing.py`, `preprocessing.json`, `vocabularies.json` | raw rows to arrays, as in training |
| `route.svg` | a drawing of the network with the largest share |
| `MODEL_CARD.md`, `job.json` | figures, data and limits; the job that made this, where there was one |
| `serve.py` | `uvicorn serve:app` serves `POST /predict` (needs fastapi and uvicorn) |
| `model.pt2`, `model.onnx` | where asked for: the network as one program over encoded rows |
| `manifest.json` | tasks, columns, members, cost, provenance, sha256 of every file |
| `check.py`, `example_rows.json`, `expected_outputs.safetensors` | the check; the rows are raw rows of the data |
"""

MOST_SHOWN = 4000
MOST_CLASSES = 50
PREDICTIONS = {
    "probability": "probability of 1, `[B]`",
    "probabilities": "probability of each class, `[B, {outputs}]`",
    "value": "value in the label's unit, `[B]`",
}


def readme(manifest: Manifest, rows: Mapping[str, Sequence[Any]]) -> str:
    """The text of ``README.md``; ``rows`` are example rows, of which it shows two."""
    return TEXT.format(
        digest=manifest.route.digest[:12],
        num_params=manifest.num_params,
        macs=manifest.macs,
        tasks="\n".join(_row(task) for task in manifest.tasks),
        rows=_rows(rows),
        first_task=literal(manifest.tasks[0].name),
    )


def ensemble_readme(manifest: Manifest, rows: Mapping[str, Sequence[Any]]) -> str:
    """The text of an ensemble's ``README.md``."""
    members = [
        f"| {member.label} | {'' if member.route_digest is None else f'`{member.route_digest[:12]}`'} | "
        f"{', '.join(f'{_inline(name)} {share:.3g}' for name, share in member.shares.items())} |"
        for member in manifest.members
    ]
    return ENSEMBLE.format(
        digest=manifest.route.digest[:12],
        num_params=manifest.num_params,
        macs=manifest.macs,
        tasks="\n".join(_row(task) for task in manifest.tasks),
        members="\n".join(members),
        rows=_rows(rows),
        first_task=literal(manifest.tasks[0].name),
    )


def _rows(rows: Mapping[str, Sequence[Any]]) -> str:
    """Two rows as Python source, or where to find some if that would be long."""
    lines = [f"    {literal(name)}: {list(values[:2])!r}," for name, values in rows.items()]
    if sum(map(len, lines)) <= MOST_SHOWN:
        return "\n".join(("rows = {", *lines, "}"))
    return 'import json\n\nrows = json.load(open("example_rows.json", encoding="utf-8"))'


def _row(task: ExportedTask) -> str:
    prediction = PREDICTIONS[task.prediction].format(outputs=task.outputs)
    if task.classes and task.prediction == "probability":
        prediction = f"probability of {_inline(task.classes[1])} (not {_inline(task.classes[0])}), `[B]`"
    elif task.classes:
        shown = ", ".join(_inline(name) for name in task.classes[:MOST_CLASSES])
        more = f" and {len(task.classes) - MOST_CLASSES} more" if len(task.classes) > MOST_CLASSES else ""
        prediction += f" in the order {shown}{more}"
    return f"| `{task.name}` | {task.kind} | {prediction} | {_inline(task.label)} |"


def _inline(text: str) -> str:
    """Any text as code inside a Markdown table, on one line and without ending the cell or the code."""
    plain = repr(text)[1:-1].replace("`", "'").replace("|", "\\|")
    return f"`{plain}`"
