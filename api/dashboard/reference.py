"""The reference of the REST API as a page of ours: no scripts, nothing from elsewhere, behind the same door."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.dashboard.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def reference(request: Request) -> HTMLResponse:
    """Every endpoint with its parameters and an example, as the OpenAPI document has them."""
    document = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation.get("tags", ["other"])[0], []).append(_shown(method, path, operation))
    return page(request, "reference.html", {"groups": groups, "about": document["info"]["description"]})


def _shown(method: str, path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "method": method.upper(),
        "path": path,
        "what": operation["description"],
        "parameters": operation.get("parameters", ()),
        "examples": [json.dumps(example["value"], indent=2) for example in _examples(operation)],
    }


def _examples(operation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    contents = operation.get("requestBody", {}).get("content", {}).values()
    return [example for content in contents for example in content.get("examples", {}).values()]
