"""``RouteSearch``: an estimator for several targets, in the manner of scikit-learn."""

from __future__ import annotations

import inspect
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mtnas.data import DataAccess, profile
from mtnas.data.data_spec import FileSource
from mtnas.data.profiles.proposed_tasks import Named, tasks_from
from mtnas.easy.frames import like, to_arrow, to_rows
from mtnas.easy.local_job import run_locally
from mtnas.errors import DataError, ExportError
from mtnas.export import LoadedModule, load_module
from mtnas.spec import JobSpec

_FILE = "rows.parquet"


class RouteSearch:
    """Searches which sub-networks several targets share, and predicts all of them with the best route.

    Args:
        tasks: label columns (``"click"``), with a kind (``"price:regression"``), as a mapping of column to kind, or as
            tasks of a job specification; kinds that are not said are judged by the values.
        space: a search space of the catalogue.
        level: how much is proved: ``quick``, ``standard`` or ``headline``.
        time_limit: seconds that the search alone may take; baselines and final trainings come on top.
        random_state: seed of everything.
        job: parts of a job specification that go before all of this, as ``{"training": {"epochs": 10}}``.
        device: where networks are trained.
        verbose: 1 shows a line for every phase on standard error, 0 nothing.

    Attributes (after ``fit``):
        report_: the job's report: every entrant on the test part, comparisons, verdict.
        route_: the best route.
        tasks_: names of the tasks, in the order of the predictions.
        module_: the exported network with its preprocessing.
    """

    def __init__(
        self,
        tasks: Sequence[Named] | Mapping[str, str] = (),
        *,
        space: str = "mtnas",
        level: str = "quick",
        time_limit: float | None = None,
        random_state: int = 0,
        job: Mapping[str, Any] | None = None,
        device: str = "cpu",
        verbose: int = 0,
    ) -> None:
        self.tasks, self.space, self.level, self.time_limit = tasks, space, level, time_limit
        self.random_state, self.job, self.device, self.verbose = random_state, job, device, verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments, for ``sklearn.base.clone`` and searches over them."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Change arguments of the constructor.

        Raises:
            ValueError: there is no such argument.
        """
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"unknown parameter {name!r}; known are {sorted(known)}")
            setattr(self, name, value)
        return self

    def fit(self, X: Any, y: Any = None) -> Self:
        """Search, prove and export on these rows; part of them is held out for choosing and for the report.

        Args:
            X: a table of pandas, polars or pyarrow, or a mapping of columns; labels may be among them.
            y: the labels, if they are a table of their own; all its columns are tasks unless ``tasks`` says which.

        Raises:
            MtnasError: the data or the parameters cannot work; the message says what was expected, found and where.
        """
        table = to_arrow(X)
        named = self.tasks
        if y is not None:
            labels = to_arrow(y, where="y")
            if labels.num_rows != table.num_rows:
                raise DataError(expected=f"{table.num_rows} rows", found=str(labels.num_rows), where="y")
            named = named or labels.column_names
            for name in labels.column_names:
                table = table.append_column(name, labels.column(name))
        self._kept = tempfile.TemporaryDirectory(prefix="mtnas-")
        folder = Path(self._kept.name)
        pq.write_table(table, folder / _FILE)
        source = FileSource(paths=(_FILE,))
        known = profile(source, access=DataAccess(roots=(folder,), cache=folder / "cache"))
        tasks = tasks_from(named, known)
        spec = JobSpec.model_validate(self._document(source, tasks))
        self._finished = run_locally(spec, roots=(folder,), folder=folder, device=self.device, listener=self._told)
        (folder / _FILE).unlink()
        shutil.rmtree(folder / "cache", ignore_errors=True)
        self.report_, self.route_ = self._finished.report, self._finished.route
        self.tasks_ = tuple(task.name for task in spec.tasks)
        self._kinds = {task.name: str(task.kind) for task in spec.tasks}
        if self._finished.module is None:
            raise ExportError(expected="an exported module", found="none", where="job.export")
        self.module_ = load_module(self._finished.module)
        return self

    def predict(self, X: Any) -> Any:
        """One column a task, as a table of the kind of ``X``: the likelier class, by its number, or the value."""
        found = self._predictions(X)
        columns = {
            name: values.argmax(axis=1)
            if values.ndim == 2
            else (values > 0.5).astype(np.int64)
            if self._kinds[name] == "binary"
            else values
            for name, values in found.items()
        }
        return like(X, columns)

    def predict_proba(self, X: Any) -> dict[str, NDArray[np.float32]]:
        """Per task with classes, probabilities ``[B, C]``; tasks with values are left out."""
        return {
            name: values if values.ndim == 2 else np.stack((1 - values, values), axis=1)
            for name, values in self._predictions(X).items()
            if self._kinds[name] in ("binary", "multiclass")
        }

    def export(self, path: str | Path) -> Path:
        """Copy the module, which runs with torch, safetensors and numpy alone, into a new folder.

        Raises:
            FileExistsError: the folder is there.
        """
        return Path(shutil.copytree(self._fitted.folder, path))

    def drawing(self) -> str:
        """The route as SVG."""
        return self._finished.drawing()

    def _repr_svg_(self) -> str | None:
        return self.drawing() if hasattr(self, "module_") else None

    @property
    def _fitted(self) -> LoadedModule:
        if not hasattr(self, "module_"):
            raise AttributeError("this RouteSearch is not fitted yet: call fit first")
        return self.module_

    def _predictions(self, X: Any) -> dict[str, NDArray[np.float32]]:
        module = self._fitted
        found = module.predict(to_rows(X, module.columns))
        return {name: values.detach().cpu().numpy() for name, values in found.items()}

    def _document(self, source: FileSource, tasks: list[dict[str, Any]]) -> dict[str, Any]:
        document: dict[str, Any] = {
            "name": "route-search",
            "tasks": tasks,
            "space": {"name": self.space},
            "protocol": {"level": self.level},
            "seed": self.random_state,
        }
        if self.time_limit is not None:
            document["budget"] = {"deadline_s": self.time_limit}
        for part, value in (self.job or {}).items():
            both = isinstance(value, Mapping) and isinstance(document.get(part), Mapping)
            document[part] = document[part] | dict(value) if both else value
        data = document.get("data", {})
        return document | {"data": dict(data) | {"source": source.model_dump(mode="json")}}

    def _told(self, kind: str, payload: Mapping[str, Any]) -> None:
        if self.verbose and kind in ("phase", "warning", "search_ended"):
            text = payload.get("phase") or payload.get("text") or payload.get("detail")
            print(f"{time.strftime('%H:%M:%S')}  {kind}: {text}", file=sys.stderr)
