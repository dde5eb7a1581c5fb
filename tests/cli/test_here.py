"""Commands without a service: from a file of data to a specification, a report, a drawing and a module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mtnas.export import run_check
from mtnas.spec import JobSpec
from tests.easy.test_route_search import JOB, shop


def mtnas(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mtnas.cli", *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["", *sys.path])}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("shop")
    shop(600).to_csv(place / "visits.csv", index=False)
    return place


def test_a_file_of_data_becomes_a_specification_that_runs(folder: Path) -> None:
    begun = mtnas("init", "visits.csv", "--label", "buys", "--label", "pays:regression", folder=folder)
    assert begun.returncode == 0, begun.stderr
    document = yaml.safe_load(begun.stdout)
    spec = JobSpec.model_validate(document)
    assert [(task.name, task.kind) for task in spec.tasks] == [("buys", "binary"), ("pays", "regression")]
    assert "#   city: categorical" in begun.stdout
    for part, value in JOB.items():
        document[part] = document.get(part, {}) | value
    (folder / "job.yaml").write_text(yaml.safe_dump(document))

    done = mtnas("run", "job.yaml", "--output", "answer", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "finalist-1" in done.stdout, "a pipe is wide enough for every label"
    report = json.loads((folder / "answer" / "report.json").read_text())
    assert "| finalist-1 |" in (folder / "answer" / "report.md").read_text()
    assert "There was one search" in done.stdout
    assert (folder / "answer" / "route.svg").read_text().startswith("<svg")
    answers = {report["best"]["route_digest"][:12], report["ensemble"]["digest"][:12]}
    modules = list((folder / "answer" / "exports").iterdir())
    assert {module.name.removeprefix("export-") for module in modules} == answers
    assert all(run_check(module).passed for module in modules)


def test_labels_are_proposed_where_none_are_named(folder: Path) -> None:
    document = yaml.safe_load(mtnas("init", "visits.csv", folder=folder).stdout)
    assert [task["name"] for task in document["tasks"]] == ["buys"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("run", "visits.csv"), "expected --task LABEL[:KIND], at least once"),
        (("run", "visits.csv", "--task", "sells"), "expected a column of age, city"),
        (("run", "nothing.csv", "--task", "buys"), "expected an existing file"),
        (("run", "visits.csv", "--task", "city:binary"), "label"),
        (("init", "nothing.csv"), "expected an existing file"),
    ],
)
def test_what_cannot_work_is_one_line(folder: Path, arguments: tuple[str, ...], expected: str) -> None:
    done = mtnas(*arguments, folder=folder)
    assert done.returncode == 2, done.stdout
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
