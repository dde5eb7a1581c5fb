"""The suite: its cells are jobs that are accepted, one of them is run to its figures, and none is run twice."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.answers import PROBLEMS
from benchmarks.suite import __main__ as suite
from benchmarks.suite import page, table
from benchmarks.suite.cells import Cell, cells, chosen
from benchmarks.suite.data_sets import PART
from benchmarks.suite.tables import ROWS, census_rows
from mtnas.run.phases.prepare import expanded
from mtnas.spec import JobSpec
from search_spaces import build

NEEDS_DATA = pytest.mark.skipif("MTNAS_DATA_DIR" not in os.environ, reason="needs the public data sets")


def small() -> Cell:
    """The quickest cell there is, with fewer rows and networks."""
    (cell,) = [cell for cell in cells(quick=True) if cell.data.family == "mmoe-synthetic"]
    protocol = cell.parts["protocol"] | {"baselines": ["single_task"], "seeds": 2, "linear_models": False}
    quick = {"search": cell.parts["search"] | {"least_steps": 4, "screen": 2}, "budget": {"trials": 4}}
    return Cell(cell.data, cell.search, cell.draw, dict(cell.parts) | quick | {"protocol": protocol})


@pytest.mark.parametrize("quick", [True, False])
def test_cells_differ_and_those_of_generated_data_are_jobs(quick: bool, tmp_path: Path) -> None:
    found = cells(quick=quick)
    assert len({cell.digest for cell in found}) == len(found)
    for cell in chosen(found, ["planted", "mmoe-synthetic"]):
        spec = expanded(JobSpec.model_validate(cell.document(tmp_path)), build)
        assert spec.protocol.level == ("standard" if quick else "headline")
        assert spec.protocol.num_searches == (1 if quick else 10)


def test_cells_are_chosen_by_data_and_search_and_unknown_names_are_refused() -> None:
    found = cells(quick=False)
    drugs = chosen(found, ["drugs"])
    assert {cell.data.name for cell in drugs} == {"drugs"}
    assert {cell.search for cell in chosen(found, ["darts"])} == {"darts"}
    assert chosen(found, []) == found
    with pytest.raises(ValueError, match=r"--only: expected .*, found \['dartz'\]"):
        chosen(found, ["dartz"])


def test_another_setting_is_another_cell() -> None:
    cell = small()
    other = Cell(cell.data, cell.search, cell.draw, dict(cell.parts) | {"budget": {"trials": 5}})
    assert cell.digest != other.digest == Cell(other.data, other.search, other.draw, other.parts).digest


def test_a_cell_becomes_figures_and_a_page_and_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    monkeypatch.setattr(suite, "DOCS", tmp_path)
    monkeypatch.setattr(suite, "cells", lambda *, quick: [small()])
    assert suite.main(["--quick"]) == 0
    rows = pq.read_table(tmp_path / "suite_quick.parquet").to_pylist()
    gains = [row["value"] for row in rows if (row["entrant"], row["measure"]) == ("single_task", "gain")]
    assert gains
    assert all(gain == pytest.approx(0.0, abs=1e-12) for gain in gains), "over themselves"
    pairs = [row for row in rows if row["measure"].startswith("beyond:") and row["task"] == "mean"]
    assert {row["measure"] for row in pairs} == {"beyond:single_task", "beyond:random"}
    assert all(row["low"] <= row["value"] <= row["high"] for row in pairs)
    document = (tmp_path / "benchmarks.md").read_text()
    assert "It proves nothing" in document
    assert "It has not been run yet" in document, "the full suite"
    assert rows[0]["commit"] in document
    assert "1 of 7 cells" in document, "whoever reads a part is told so"
    assert (tmp_path / "pictures" / "benchmarks-quick.svg").read_text().startswith("<svg")
    capsys.readouterr()
    assert suite.main(["--quick"]) == 0
    assert "mmoe-synthetic" not in capsys.readouterr().out
    assert pq.read_table(tmp_path / "suite_quick.parquet").to_pylist() == rows


def test_a_page_without_figures_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    page.write_page(tmp_path)
    assert (tmp_path / "benchmarks.md").read_text().count("no figures") == 2


@NEEDS_DATA
def test_census_draws_train_on_no_row_of_the_test_file() -> None:
    problem = replace(PROBLEMS["census"], labels=("income", "file"), rows=2_000)
    for draw in (0, 1):
        found = census_rows(problem, draw)
        assert set(found[found[PART] == "train"]["file"]) == {"data"}
        assert set(found[found[PART] != "train"]["file"]) == {"test"}


@NEEDS_DATA
def test_a_rare_label_is_rare_in_training_rows_alone(tmp_path: Path) -> None:
    (cell,) = [cell for cell in cells(quick=False) if "1 %" in cell.data.name and cell.search == "darts"]
    cell.document(tmp_path)
    found = pq.read_table(tmp_path / ROWS).to_pandas()
    assert found[PART].value_counts().to_dict() == {"train": 10_000, "valid": 2_000, "test": 20_000}
    labelled = found["income"].notna().groupby(found[PART]).mean()
    assert labelled["train"] == pytest.approx(0.01, abs=0.005)
    assert labelled["test"] == labelled["valid"] == 1.0
    assert found["education"].notna().all()
