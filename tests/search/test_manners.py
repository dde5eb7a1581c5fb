"""The search package is cheap to import, and leaves the logs and warnings of others alone."""

from __future__ import annotations

import subprocess
import sys
import warnings

import optuna
import pytest

from mtnas.search import TpeSearcher
from tests.search.contract import random_trials
from tests.search.planted import GAIN, GRID, alike


def test_importing_the_package_imports_neither_optuna_nor_torch() -> None:
    script = "import sys, mtnas.search; print(sorted({'optuna', 'torch', 'scipy', 'pydantic'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_model_is_asked_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    optuna.logging.enable_default_handler()
    searcher = TpeSearcher(space=alike(), objectives=(GAIN,), settings=GRID)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        searcher.ask(random_trials(alike()), 4)
    assert capfd.readouterr() == ("", "")


def test_a_users_own_studies_still_speak(caplog: pytest.LogCaptureFixture) -> None:
    level = optuna.logging.get_verbosity()
    TpeSearcher(space=alike(), objectives=(GAIN,), settings=GRID).ask(random_trials(alike()), 1)
    assert optuna.logging.get_verbosity() == level
    optuna.logging.enable_propagation()
    try:
        optuna.create_study(study_name="mine")
    finally:
        optuna.logging.disable_propagation()
    assert "mine" in caplog.text
