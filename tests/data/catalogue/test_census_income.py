"""Census-Income under the MMoE paper's protocol, on the real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtnas.data import CATALOGUE, DataAccess, EncodedData, load
from mtnas.data.access import data_dir_from_environment
from mtnas.data.data_spec import CatalogueSource, DataSpec

CENSUS = CATALOGUE["census-income"]
TRAIN_ROWS, TEST_ROWS = 199_523, 99_762


def tasks_of(group: object) -> list[str]:
    return [task.name for task in CENSUS.tasks(CENSUS.check_options({"group": group}))]


def test_groups_choose_the_default_tasks() -> None:
    assert tasks_of(1) == ["income", "marital"]
    assert tasks_of(2) == ["education", "marital"]
    assert tasks_of("all") == ["income", "marital", "education"]


def test_integer_codes_are_categories_and_seven_columns_are_numbers() -> None:
    features = {feature.column: feature.kind for feature in CENSUS.features(CENSUS.options())}
    assert len(features) == 38
    assert sum(kind == "numeric" for kind in features.values()) == 7
    for code in ("det_ind_code", "det_occ_code", "own_or_self", "vet_benefits", "year"):
        assert features[code] == "categorical"
    assert {"education", "marital_stat", "income_50k", "instance_weight"}.isdisjoint(features)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> EncodedData:
    folder = data_dir_from_environment()
    if folder is None or not any(folder.rglob("census-income.data*")):
        pytest.skip("MTNAS_DATA_DIR holds no Census-Income files (too big to fetch in a test)")
    access = DataAccess(cache=tmp_path_factory.mktemp("cache"), data_dir=folder)
    return load(DataSpec(source=CatalogueSource(name="census-income")), CENSUS.labels(CENSUS.options()), access=access)


def test_training_rows_are_all_of_the_data_file_and_the_test_file_is_halved(data: EncodedData) -> None:
    training = np.concatenate([data.parts["train"], data.parts["search"]])
    assert np.array_equal(np.sort(training), np.arange(TRAIN_ROWS))
    order = TRAIN_ROWS + np.random.RandomState(0).permutation(TEST_ROWS)
    assert np.array_equal(data.parts["valid"], np.sort(order[: TEST_ROWS // 2]))
    assert np.array_equal(data.parts["test"], np.sort(order[TEST_ROWS // 2 :]))


def test_base_rates_are_the_published_ones(data: EncodedData) -> None:
    train = data.labels[:TRAIN_ROWS].mean(axis=0)
    test = data.labels[TRAIN_ROWS:].mean(axis=0)
    np.testing.assert_allclose(train, [0.06206, 0.43346, 0.1964], atol=5e-5)
    np.testing.assert_allclose(test[:2], [0.06201, 0.43246], atol=5e-5)
    correlations = np.corrcoef(data.labels[:TRAIN_ROWS].T)
    assert abs(correlations[0, 1]) == pytest.approx(0.1782, abs=1e-4)
    assert abs(correlations[1, 2]) == pytest.approx(0.2400, abs=1e-4)


def test_the_text_na_is_a_value_and_blanks_are_trimmed(data: EncodedData) -> None:
    columns = {column.name: column for column in data.schema.categorical}
    assert "NA" in columns["hisp_origin"].values
    assert "?" in columns["mig_chg_msa"].values
    for column in columns.values():
        assert all(value == value.strip() for value in column.values)
    hispanic = data.categorical[:TRAIN_ROWS, list(columns).index("hisp_origin")]
    assert (hispanic == 1 + columns["hisp_origin"].values.index("NA")).sum() == 874


def test_nothing_is_missing_but_values_that_training_never_saw(data: EncodedData) -> None:
    assert not any(column.indicator for column in data.schema.numeric)
    assert (data.categorical[data.parts["train"]] > 0).all()
    assert (data.categorical == 0).mean() < 1e-4


def test_the_set_reads_from_the_folder_itself_too(tmp_path: Path, data: EncodedData) -> None:
    folder = data_dir_from_environment()
    assert folder is not None
    files = next(folder.rglob("census-income.data*")).parent
    access = DataAccess(cache=tmp_path, data_dir=files)
    spec = DataSpec(source=CatalogueSource(name="census-income"), max_rows=5000)
    assert load(spec, CENSUS.tasks(CENSUS.options()), access=access).num_rows == 5000
