"""Serves this export: ``uvicorn serve:app`` in this folder. Needs fastapi and uvicorn beside what the module needs.

``POST /predict`` with ``{"rows": [{"column": value, ...}, ...]}`` answers ``{"predictions": {"task": [...]}}``.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import torch
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
model, preprocessing = import_module("model").load(FOLDER)
about = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
app = FastAPI(title=f"mtnas export {about['route']['digest'][:12]}")


class Request(BaseModel):
    """Rows to predict, each a mapping of columns to values; a column that a row leaves out is missing there."""

    rows: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=65536)]


@app.get("/")
def describe() -> dict[str, Any]:
    """What the module predicts and which columns it reads."""
    return {"tasks": about["tasks"], "columns": about["columns"]}


@app.post("/predict")
def predict(request: Request) -> dict[str, dict[str, Any]]:
    """Per task a probability, probabilities of classes, or a value for every row."""
    columns = {name: [row.get(name) for row in request.rows] for name in preprocessing.columns}
    try:
        inputs = preprocessing(columns)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    with torch.no_grad():
        found = model.predict(inputs)
    return {"predictions": {task: values.tolist() for task, values in found.items()}}
