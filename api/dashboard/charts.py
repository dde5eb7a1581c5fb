"""Charts as Vega-Lite specifications, which are also what notebooks want; rendered to SVG without a browser.

Colours and axes are chosen to be read on light and on dark pages alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
_GREY, _BLUE, _ORANGE = "#7c8494", "#3d7edb", "#e0812d"
_CONFIG = {
    "background": "transparent",
    "padding": {"left": 28, "right": 12, "top": 8, "bottom": 8},  # fonts of browsers are wider than measured
    "font": "system-ui, sans-serif",
    "axis": {
        "labelColor": _GREY,
        "titleColor": _GREY,
        "gridColor": "#7c849433",
        "domainColor": _GREY,
        "tickColor": _GREY,
    },
    "view": {"stroke": None},
    "legend": {"labelColor": _GREY, "titleColor": _GREY},
}


def trials_chart(trials: Sequence[Mapping[str, Any]], metric: str) -> Spec:
    """Every trial's figure by its number, and the best so far as a line.

    Args:
        trials: ``number``, ``value`` and ``label`` of each.
        metric: what the figure is.
    """
    return _chart(
        title=f"{metric} of {len(trials)} trials",
        data=trials,
        layer=[
            {
                "mark": {"type": "point", "filled": True, "size": 36, "opacity": 0.7, "color": _BLUE},
                "encoding": {
                    "y": {"field": "value", "type": "quantitative", "title": metric, "scale": {"zero": False}}
                },
            },
            {
                "mark": {"type": "line", "interpolate": "step-after", "color": _ORANGE},
                "encoding": {"y": {"field": "best", "type": "quantitative"}},
            },
        ],
        encoding={"x": {"field": "number", "type": "quantitative", "title": "trial"}},
    )


def gains_chart(rows: Sequence[Mapping[str, Any]]) -> Spec:
    """Mean gain of every entrant over single-task training, with one deviation to each side.

    Args:
        rows: ``label``, ``role``, ``mean``, ``low`` and ``high`` of each.
    """
    y = {"field": "label", "type": "nominal", "title": None, "sort": "-x"}
    colour = {
        "field": "role",
        "type": "nominal",
        "title": None,
        "scale": {"domain": ["best", "other"], "range": [_ORANGE, _BLUE]},
        "legend": None,
    }
    return _chart(
        title="mean gain over single-task training",
        data=rows,
        layer=[
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {
                    "x": {"field": "low", "type": "quantitative", "title": "mean gain"},
                    "x2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70},
                "encoding": {"x": {"field": "mean", "type": "quantitative"}},
            },
        ],
        encoding={"y": y, "color": colour},
        height={"step": 22},
    )


def front_chart(points: Sequence[Mapping[str, Any]], x: str, y: str) -> Spec:
    """Routes by two figures; those on the front stand out.

    Args:
        points: ``x``, ``y``, ``label`` and ``front`` of each.
        x, y: what the figures are.
    """
    return _chart(
        title=f"{y} against {x}",
        data=points,
        layer=[
            {
                "mark": {"type": "point", "filled": True, "size": 60},
                "encoding": {
                    "x": {"field": "x", "type": "quantitative", "title": x, "scale": {"zero": False}},
                    "y": {"field": "y", "type": "quantitative", "title": y, "scale": {"zero": False}},
                    "color": {
                        "field": "front",
                        "type": "nominal",
                        "scale": {"domain": [True, False], "range": [_ORANGE, _BLUE]},
                        "legend": None,
                    },
                },
            }
        ],
        encoding={},
    )


def to_svg(spec: Spec) -> str:
    """The chart as an SVG document with a title and a description for those who cannot see it."""
    import vl_convert  # here: a web process that shows no chart need not load it

    drawn: str = vl_convert.vegalite_to_svg(spec)
    return drawn


def _chart(
    *,
    title: str,
    data: Sequence[Mapping[str, Any]],
    layer: list[Spec],
    encoding: Spec,
    height: int | Spec = 220,
) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": title,
        "width": 640,
        "height": height,
        "data": {"values": [dict(row) for row in data]},
        "encoding": encoding,
        "layer": layer,
        "config": _CONFIG,
    }
