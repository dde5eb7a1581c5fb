"""One job in this process: its specification in, its report, routes and modules out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import search_spaces
from mtnas.data import DataAccess
from mtnas.reports.markdown import as_markdown
from mtnas.routes import Route, RouteGraph, to_svg
from mtnas.run import InProcessExecutor, MemoryJournal, run_job
from mtnas.run.phases.prepare import expanded
from mtnas.spec import JobSpec

Listener = Callable[[str, Mapping[str, Any]], None]
"""Hears of events by kind (``phase``, ``progress``, ``warning``, ``trial`` ...) with what they carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a job left behind.

    Attributes:
        report: the answer as the service would give it.
        route: the best route.
        graph: the graph that the route is a part of.
        modules: folders of exported modules by route digest.
    """

    report: Mapping[str, Any]
    route: Route
    graph: RouteGraph
    modules: Mapping[str, Path]

    @property
    def module(self) -> Path | None:
        """Folder of the answer's export: the ensemble's where the job made one, else the best route's."""
        together = self.report.get("ensemble")
        answers = (
            [self.report["best"]["route_digest"]]
            if together is None
            else [
                together["digest"],
                self.report["best"]["route_digest"],
            ]
        )
        return next((self.modules[digest] for digest in answers if digest in self.modules), None)

    def drawing(self) -> str:
        """The best route as SVG."""
        return to_svg(self.graph, self.route)


class ToldJournal(MemoryJournal):
    """A journal in memory that tells a listener what happens."""

    def __init__(self, folder: Path, listener: Listener) -> None:
        super().__init__(folder)
        self._listener = listener

    def start_phase(self, name: str) -> None:
        """See ``Journal``."""
        super().start_phase(name)
        self._listener("phase", {"phase": name})

    def progress(self, figures: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        super().progress(figures)
        self._listener("progress", {"phase": self.phases[-1]} | dict(figures))

    def event(self, kind: str, payload: Mapping[str, Any]) -> None:
        """See ``Journal``."""
        super().event(kind, payload)
        self._listener(kind, payload)


def run_locally(
    spec: JobSpec,
    *,
    roots: tuple[Path, ...],
    folder: Path,
    listener: Listener = lambda kind, payload: None,
    device: str = "cpu",
) -> Finished:
    """Run a job to its end in this process.

    Args:
        spec: the request.
        roots: folders below which it may read files.
        folder: where encoded data (``cache``) and exported modules (``exports``) go; it is made.
        listener: hears what happens.
        device: where networks are trained.

    Raises:
        MtnasError: of the kind that ended the job.
    """
    journal = ToldJournal(folder / "exports", listener)
    access = DataAccess(roots=roots, cache=folder / "cache")
    whole = expanded(spec, search_spaces.build)
    report = run_job(whole, access=access, executor=InProcessExecutor(), journal=journal, device=device)
    best = journal.routes[report["best"]["route_digest"]]
    graph = RouteGraph.from_json(journal.graphs[best.graph_digest])
    return Finished(report=report, route=Route.parse(best.text), graph=graph, modules=dict(journal.exports))


def write_answer(finished: Finished, folder: Path) -> list[Path]:
    """Report, also as Markdown, and drawing as files, beside the module that lies there; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    report, words, drawing = folder / "report.json", folder / "report.md", folder / "route.svg"
    words.write_text(as_markdown(finished.report, title="Report"), encoding="utf-8")
    report.write_text(json.dumps(finished.report, indent=2), encoding="utf-8")
    drawing.write_text(finished.drawing(), encoding="utf-8")
    return [report, words, drawing]
