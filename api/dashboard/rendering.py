"""From templates to pages: filters for figures and times, and the headers every page carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import mtnas

HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def page(request: Request, template: str, values: Mapping[str, Any], *, status: int = 200) -> HTMLResponse:
    """A template as an answer; ``values`` are what it shows."""
    text = _templates.get_template(template).render(values, root=request.scope.get("root_path", ""))
    return HTMLResponse(text, status_code=status, headers=HEADERS)


def problem_page(request: Request, problem: JSONResponse) -> Response:
    """A problem as a page where a browser asked for one of the dashboard's; elsewhere as it is."""
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")
    if not wants_page:
        return problem
    document = json.loads(bytes(problem.body))
    return page(request, "problem.html", document, status=problem.status_code)


def figure(value: object) -> str:
    """A number as people read it; a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def share(value: float | None) -> str:
    """A share as per cent."""
    return "" if value is None else f"{100 * value:.0f} %"


def percent(value: float | None) -> str:
    """A gain as per cent with its sign; a dash for none."""
    return "–" if value is None else f"{100 * value:+.2f} %"


def duration(seconds: float | None) -> str:
    """Seconds as ``1 h 02 min``, ``3 min 07 s``, ``12 s``."""
    if seconds is None:
        return ""
    whole = max(round(seconds), 0)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 60} min {whole % 60:02} s" if whole >= 60 else f"{whole} s"


def ago(moment: datetime | None) -> str:
    """How long ago, in the largest unit that fits."""
    if moment is None:
        return ""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update({"figure": figure, "share": share, "percent": percent, "duration": duration, "ago": ago})
    made.globals["version"] = mtnas.__version__
    return made


_templates = _environment()
