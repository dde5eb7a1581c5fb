"""The examples of README and docs work as written: Python is run, commands are parsed, specifications are read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mtnas.cli.app import all_commands
from mtnas.spec import JobSpec
from tests.api.process import serving
from tests.lean import NO_MODELS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "guides").glob("*.md"))]
LONGEST = 60


def _blocks(language: str) -> list[Any]:
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    texts = [(page.name, fence.findall(page.read_text())) for page in PAGES]
    return [pytest.param(text, id=f"{name}-{number}") for name, found in texts for number, text in enumerate(found)]


@pytest.mark.parametrize("text", _blocks("sh"))
def test_commands_are_ones_that_the_command_line_takes(text: str) -> None:
    known = dict(all_commands())
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0].endswith("mtnas"):
            depth = 2 if " ".join(words[1:3]) in known else 1
            command = known[" ".join(words[1 : 1 + depth])]
            command.make_context(command.name, words[1 + depth :])  # refuses what it does not know


@pytest.mark.parametrize("text", _blocks("yaml"))
def test_specifications_are_valid(text: str) -> None:
    document = yaml.safe_load(text)
    if "tasks" in document:
        JobSpec.model_validate(document)


@pytest.fixture(scope="module")
def visits() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age, city = rng.integers(18, 80, 400), rng.choice(["Bern", "Graz", "Turin"], 400)
    click = (age + 20 * (city == "Bern") + rng.normal(0, 15, 400) > 55).astype(int)
    return pd.DataFrame({"age": age, "city": city, "click": click, "watch_time": 2.0 * age + rng.normal(0, 9, 400)})


@pytest.mark.parametrize("text", _blocks("python"))
def test_python_runs(
    text: str, visits: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    assert len(text.splitlines()) < LONGEST
    monkeypatch.chdir(tmp_path)
    visits.to_csv("visits.csv", index=False)
    if "RouteSearch" in text:
        _quick(monkeypatch)
    if "load_module" in text:
        pytest.skip("reads what another example wrote; tests/export runs it")
    if "Client(" in text:
        with serving(tmp_path / "home") as url:
            exec(text.replace("http://127.0.0.1:8000", url), {})
        return
    exec(text, {"df": visits})
    assert (tmp_path / "my_module" / "model.py").exists()


def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example's search, with less of everything: what is proved is that it runs as written."""
    import mtnas.easy

    class Quick(mtnas.easy.RouteSearch):
        def __init__(self, tasks: Any) -> None:
            super().__init__(
                tasks,
                job={
                    "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 4}},
                    "search": {"kind": "random"},
                    "training": {"lr": 0.01, "epochs": 1, "least_steps": 4},
                    "budget": {"trials": 2},
                    "protocol": {
                        "baselines": ["shared_bottom"],
                        **NO_MODELS,
                        "finalists": 1,
                    },
                    "export": {"ensemble": "none"},
                },
                verbose=0,
            )

    monkeypatch.setattr(mtnas.easy, "RouteSearch", Quick)


def test_every_page_is_in_the_contents() -> None:
    contents = (ROOT / "mkdocs.yml").read_text()
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if page.split("/")[0] not in ("schemes", "decisions") and page not in contents] == []
