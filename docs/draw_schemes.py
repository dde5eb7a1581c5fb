"""Writes docs/schemes: a page and a picture for every named route and every search space, and one for a task that is
added to a trained system, from their own words.

    python docs/draw_schemes.py

The pages' text is the docstring of the scheme's file, which cites the paper, and of its function. A space is drawn by
one route of it, drawn at random with seed 0; spaces of two kinds (SNR-Aver and SNR-Trans) have a page for each.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from written_pages import write_or_tell

from mtnas.routes import NAMED_ROUTES, InputShape, Route, RouteGraph, Tower, cost, task_path, to_svg
from mtnas.routes.building import extend
from mtnas.routes.building.extend import with_tasks
from mtnas.routes.schemes.by_name import Size
from mtnas.spaces import SearchSpace
from search_spaces import CATALOGUE

FOLDER = Path(__file__).parent / "schemes"
TOWERS = tuple(Tower(task=task, reads="") for task in ("click", "buy", "return"))
INPUTS = InputShape(vocabularies=(100, 50), embedding_widths=(8, 8), num_numeric=16)
SIZE = Size(layers=2, experts=4, width=64)
VARIANTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "snr": {"trans": {"transform": True}},
    "dselect_k": {"per_example": {"per_example": True}},
}
OPTIONS: Mapping[str, Mapping[str, Any]] = {"adashare": {"layers": 3}, "branching": {"layers": 2}}


def pages() -> dict[str, str]:
    """Text of every file by its name in docs/schemes."""
    files: dict[str, str] = {}
    for name, scheme in NAMED_ROUTES.items():
        named = scheme(TOWERS, SIZE)
        files |= _page(f"route-{name}", scheme, named.graph, named.route, _as_baseline(name))
    for name, space_of in CATALOGUE.items():
        files |= _space_page(name, space_of, f"space-{name}", OPTIONS.get(name, {}))
        for variant, options in VARIANTS.get(name, {}).items():
            files |= _space_page(name, space_of, f"space-{name}-{variant}", options)
    files |= _added_task()
    files["README.md"] = _contents(files)
    return files


def _space_page(
    name: str, space_of: Callable[..., SearchSpace], stem: str, options: Mapping[str, Any]
) -> dict[str, str]:
    space = space_of(TOWERS, **options)
    route = space.sample(np.random.default_rng(0))
    drawn = ", ".join(f"{option}: {value}".lower() for option, value in options.items())
    told = f"{_as_space(name, space_of)}\n\n{space.size():.3g} combinations of choices as drawn here"
    return _page(stem, space_of, space.graph, route, f"{told} ({drawn})." if drawn else f"{told}.")


def _added_task() -> dict[str, str]:
    """A third task added to a system of two that share two sub-networks in each of two layers."""
    old = NAMED_ROUTES["full_sharing"](TOWERS[:2], Size(layers=2, experts=2, width=64))
    graph = with_tasks(old.graph, old.route, TOWERS[2:])
    space = SearchSpace(name="grown", graph=graph)
    slots = graph.slot_of()

    def shows_all(route: Route) -> bool:
        path = [slots[name] for name in task_path(graph, route, TOWERS[2].task).slots]
        fresh = [slot for slot in path if not slot.frozen and slot.starts_from is None]
        return len(path) <= 5 and any(s.frozen for s in path) and any(s.starts_from for s in path) and bool(fresh)

    rng = np.random.default_rng(0)
    route = next(route for route in iter(lambda: space.sample(rng), None) if route is not None and shows_all(route))
    heading, _, rest = _plain(extend).partition("\n\n")
    text = f"""# A task added to a trained system

{heading}

{rest}

![a task added](added-task.svg)

One route of the space, drawn at random: `return` joins `click` and `buy`. Tinted boxes are frozen. `own.return.l1.0` is
a clone of `l1.0`: it begins with the frozen weights and is trained; `own.return.2` is new. {space.size():.3g}
combinations of choices as drawn here.

{(inspect.getdoc(with_tasks) or "").split(chr(10) + chr(10) + "Args:")[0]}

In a service: `POST /v1/jobs/{{id}}/tasks`, or `mtnas add-tasks JOB tasks.yaml`, for a search that has succeeded
(decision 16). What is exported of the old tasks stays the same byte for byte.

Source: `mtnas/routes/building/extend.py`.
"""
    return {"added-task.md": text, "added-task.svg": to_svg(graph, route, title="a task added") + "\n"}


def _page(stem: str, scheme: Callable[..., object], graph: RouteGraph, route: Route, usage: str) -> dict[str, str]:
    kind, _, name = stem.partition("-")
    file = inspect.getmodule(scheme)
    heading, _, rest = _plain(file).partition("\n\n")
    summary = (inspect.getdoc(scheme) or "").split("\n\nArgs:")[0]
    found = cost(graph, route, INPUTS)
    what = "The route" if kind == "route" else "One route of the space"
    text = f"""# {name} ({"named route" if kind == "route" else "search space"})

{heading}

{rest}

![{name}]({stem}.svg)

{what}, for three tasks: {found.num_params:,} parameters, {found.macs:,} multiply-accumulates a row. A box in a task's
colour is that task's alone, a grey one is shared; the bars name its users. Dashed edges hand back no gradient.

{summary}

{usage}

Source: `{file.__name__.replace(".", "/") if file else ""}.py`.
"""
    return {f"{stem}.md": text, f"{stem}.svg": to_svg(graph, route, title=name) + "\n"}


def _plain(module: object) -> str:
    return inspect.getdoc(module) or ""


def _as_baseline(name: str) -> str:
    return f"As a baseline of a job: `protocol: {{baselines: [single_task, {name}]}}`."


def _as_space(name: str, space_of: Callable[..., object]) -> str:
    documented = (inspect.getdoc(space_of) or "").partition("Args:\n")[2].partition("\n\nRaises")[0]
    meaning = dict(line.strip().partition(": ")[::2] for line in documented.splitlines() if ": " in line)
    parameters = inspect.signature(space_of).parameters.values()
    rows = [
        f"| `{p.name}` | `{p.default!r}` | {meaning.get(p.name, '')} |"
        for p in parameters
        if p.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    table = "\n".join(("| option | default | meaning |", "|---|---|---|", *rows))
    return f"In a job: `space: {{name: {name}}}`, with these options:\n\n{table}"


def _contents(files: Mapping[str, str]) -> str:
    def links(kind: str) -> str:
        stems = sorted(name.removesuffix(".md") for name in files if name.startswith(kind) and name.endswith(".md"))
        return "\n".join(f"- [{stem.partition('-')[2]}]({stem}.md)" for stem in stems)

    return (
        "# Sharing schemes\n\nWritten by `python docs/draw_schemes.py`.\n\n"
        f"## Named routes (baselines)\n\n{links('route-')}\n\n## Search spaces\n\n{links('space-')}\n"
        "\n## Trained systems that grow\n\n- [a task added](added-task.md)\n"
    )


def main(arguments: Sequence[str]) -> int:
    """Write the pages; with ``--check`` only say which are out of date."""
    return write_or_tell(pages(), folder=FOLDER, arguments=arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
