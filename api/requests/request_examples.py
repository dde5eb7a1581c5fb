"""Examples of requests, shown in the OpenAPI document and tested to be valid."""

from __future__ import annotations

from fastapi.openapi.models import Example

_FLIGHTS = {
    "version": 1,
    "name": "flights-three-tasks",
    "data": {"source": {"kind": "catalogue", "name": "flights"}},
    "tasks": [
        {"name": "late_departure", "kind": "binary", "label": "dep_late"},
        {"name": "late_arrival", "kind": "binary", "label": "arr_late"},
        {"name": "cancelled", "kind": "binary"},
    ],
    "space": {"name": "mtnas", "options": {"layers": 2, "subnets": 4, "width": 64}},
    "protocol": {"level": "quick"},
}

_FILE = {
    "version": 1,
    "name": "clicks-and-buys",
    "data": {
        "source": {"kind": "file", "paths": ["clicks.parquet"]},
        "split": {"kind": "time", "column": "shown_at", "valid": 0.1, "test": 0.1},
    },
    "tasks": [
        {"name": "click", "kind": "binary", "label": "clicked"},
        {"name": "spend", "kind": "regression", "label": "spent_eur", "weight": 0.1},
    ],
    "search": {"kind": "random", "generation": 16},
    "constraints": {"max_params": 200_000},
}

JOB_SPECS: dict[str, Example] = {
    "catalogue": {"summary": "Three tasks of a public data set, everything else by default", "value": _FLIGHTS},
    "file": {"summary": "Two tasks of a file below a data root, random search, a limit", "value": _FILE},
}
