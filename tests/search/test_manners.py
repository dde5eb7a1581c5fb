"""The search package is cheap to import, and leaves the logs and warnings of others alone."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

import mtnas.search
from mtnas.search import TpeSearcher
from tests.search.contract import random_trials
from tests.search.planted import GAIN, GRID, SIZE, alike


def test_importing_the_package_imports_neither_optuna_nor_torch() -> None:
    script = "import sys, mtnas.search; print(sorted({'optuna', 'torch', 'scipy'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_one_file_alone_imports_optuna() -> None:
    files = Path(mtnas.search.__file__).parent.glob("*.py")
    assert [file.name for file in files if "import optuna" in file.read_text()] == ["tpe.py"]


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What Optuna logs, from the level it has by default."""
    optuna.logging.enable_propagation()
    yield caplog
    optuna.logging.disable_propagation()


def test_the_model_is_asked_without_a_word(heard: pytest.LogCaptureFixture) -> None:
    searcher = TpeSearcher(space=alike(), objectives=(GAIN, SIZE), settings=GRID)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        searcher.ask(random_trials(alike()), 4)
    assert heard.text == ""


def test_a_users_own_studies_still_speak(heard: pytest.LogCaptureFixture) -> None:
    level = optuna.logging.get_verbosity()
    TpeSearcher(space=alike(), objectives=(GAIN,), settings=GRID).ask(random_trials(alike()), 1)
    optuna.create_study(study_name="mine")
    assert optuna.logging.get_verbosity() == level
    assert "mine" in heard.text
