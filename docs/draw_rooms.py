"""Writes docs/rooms.svg: the rooms of the house, floor above floor, from the import contracts and the folders.

    python docs/draw_rooms.py

What stands higher may import what stands lower, never the other way round; neighbours on a floor do not know each
other. A room's title is the first line of its package's docstring.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "rooms.svg"
WIDTH, MARGIN, GAP = 980, 12, 8
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2430; }
.inner { font-size: 11px; fill: #4a5266; }
.core { fill: #eef2fb; stroke: #9db0d8; }
.service { fill: #fdf3e7; stroke: #dcb27c; }
.room { fill: #ffffff; stroke: #c3cbdd; }
@media (prefers-color-scheme: dark) {
  text { fill: #e8ebf3; }
  .inner { fill: #b6bdcf; }
  .core { fill: #232b3f; stroke: #5b6f9e; }
  .service { fill: #3a2f22; stroke: #9a7a4c; }
  .room { fill: #171b26; stroke: #47506a; }
}
"""


def floors() -> list[list[Path]]:
    """Packages and files by floor, the highest first, as ``pyproject.toml`` orders them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    service, core = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    found = [[ROOT / name.strip() for name in layer.split("|")] for layer in service if layer != "mtnas"]
    found += [[ROOT / "mtnas" / name.strip(" ()") for name in layer.split("|")] for layer in core]
    there = [[place for place in floor if _source(place) is not None] for floor in found]
    return [floor for floor in there if floor]


def rooms_of(package: Path) -> list[Path]:
    """The packages inside a package."""
    return sorted(path.parent for path in package.glob("*/__init__.py"))


def picture() -> str:
    """The SVG document."""
    parts, top = [], MARGIN
    for floor in floors():
        height = 54 if any(rooms_of(place) for place in floor) else 30
        weights = [max(1, len(rooms_of(place))) for place in floor]
        free = WIDTH - 2 * MARGIN - GAP * (len(floor) - 1)
        left = float(MARGIN)
        for place, weight in zip(floor, weights, strict=True):
            width = free * weight / sum(weights)
            parts += _room(place, left, top, width, height)
            left += width + GAP
        top += height + GAP
    title = "The rooms of mtnas: higher floors import lower ones"
    described = "; ".join(", ".join(place.name for place in floor) for floor in floors())
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + MARGIN - GAP}" role="img">',
            f"<title>{title}</title>",
            f"<desc>From the highest floor down: {escape(described)}.</desc>",
            f"<style>{STYLE}</style>",
            *parts,
            "</svg>\n",
        ]
    )


def _room(place: Path, left: float, top: float, width: float, height: float) -> Sequence[str]:
    kind = "core" if "mtnas" in place.relative_to(ROOT).parts else "service"
    parts = [
        f"<g><title>{escape(_first_line(place))}</title>",
        f'<rect class="{kind}" x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height}" rx="6"/>',
        f'<text x="{left + 10:.0f}" y="{top + 19:.0f}">{place.name}</text></g>',
    ]
    inner = rooms_of(place)
    if inner:
        room = (width - GAP * (len(inner) + 1)) / len(inner)
        for number, one in enumerate(inner):
            x = left + GAP + number * (room + GAP)
            parts += [
                f"<g><title>{escape(_first_line(one))}</title>",
                f'<rect class="room" x="{x:.0f}" y="{top + 26:.0f}" width="{room:.0f}" height="22" rx="4"/>',
                f'<text class="inner" x="{x + 6:.0f}" y="{top + 41:.0f}">{one.name}</text></g>',
            ]
    return parts


def _source(place: Path) -> Path | None:
    """The file whose docstring speaks for a package or a module."""
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.exists()), None)


def _first_line(place: Path) -> str:
    source = _source(place)
    docstring = ast.get_docstring(ast.parse(source.read_text())) if source is not None else None
    return (docstring or place.name).splitlines()[0]


def main() -> int:
    """Write the picture; with ``--check`` only say whether it is what it would be."""
    drawn = picture()
    if "--check" not in sys.argv:
        PICTURE.write_text(drawn)
        return 0
    if PICTURE.exists() and PICTURE.read_text() == drawn:
        return 0
    print(f"{PICTURE.relative_to(ROOT)} is out of date")
    return 1


if __name__ == "__main__":
    sys.exit(main())
