"""Planted tasks have the relations that were asked for, and no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtnas.data import CATALOGUE, DataAccess, EncodedData, load
from mtnas.data.catalogue.planted import PlantedOptions
from mtnas.data.data_spec import CatalogueSource, DataSpec
from mtnas.errors import DataError

PLANTED = CATALOGUE["planted"]
NOWHERE = DataAccess(cache=Path("unused"), data_dir=None)


def labels_of(**options: object) -> np.ndarray:
    checked = PLANTED.check_options({"rows": 2000, **options})
    table = PLANTED.read(checked, NOWHERE).table
    return np.stack([table.column(f"task_{task}").to_numpy() for task in range(checked.num_tasks)], axis=1)


def loaded(cache: Path, **options: object) -> EncodedData:
    source = CatalogueSource(name="planted", options={"rows": 2000, **options})
    tasks = PLANTED.tasks(PLANTED.check_options(source.options))
    return load(DataSpec(source=source), tasks, access=replace(NOWHERE, cache=cache))


@given(
    num_tasks=st.integers(2, 8),
    clusters=st.integers(1, 4),
    correlation=st.floats(0, 1),
    within=st.floats(0, 1),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_directions_have_the_cosines_asked_for(
    num_tasks: int, clusters: int, correlation: float, within: float, seed: int
) -> None:
    clusters = min(clusters, num_tasks)
    options = PlantedOptions(
        num_tasks=num_tasks, clusters=clusters, correlation=correlation, within=within, seed=seed, rows=100
    )
    truth = PLANTED.read(options, NOWHERE).truth
    assert truth is not None
    cluster = np.array(truth["clusters"])
    assert sorted(set(truth["clusters"])) == list(range(clusters))
    together = cluster[:, None] == cluster[None, :]
    expected = np.where(together, within, within * correlation)
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(truth["cosines"], expected, atol=1e-9)


def test_tasks_of_a_cluster_differ_by_noise_alone() -> None:
    labels = labels_of(num_tasks=4, clusters=2, noise=0.0)
    np.testing.assert_array_equal(labels[:, 0], labels[:, 1])
    np.testing.assert_array_equal(labels[:, 2], labels[:, 3])
    assert abs(np.corrcoef(labels[:, 0], labels[:, 2])[0, 1]) < 0.1


def test_the_correlation_of_labels_rises_with_that_of_directions() -> None:
    found = [
        np.corrcoef(labels_of(num_tasks=2, clusters=2, noise=0.0, correlation=p).T)[0, 1] for p in (0.0, 0.5, 0.9, 1.0)
    ]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(1.0)


def test_a_label_is_its_projection_plus_waves_of_it() -> None:
    """With one task and no noise the label is a function of one number; without waves it is that number."""
    options = PlantedOptions(num_tasks=1, clusters=1, noise=0.0, waves=0, rows=500)
    table = PLANTED.read(options, NOWHERE).table
    inputs = np.stack(table.column("x").to_numpy())
    label = table.column("task_0").to_numpy()
    direction, residuals, _, _ = np.linalg.lstsq(inputs.astype(np.float64), label, rcond=None)
    assert residuals.sum() < 1e-8
    assert np.linalg.norm(direction) == pytest.approx(1.0, abs=1e-5)
    waved = labels_of(num_tasks=1, clusters=1, noise=0.0, waves=10, rows=500)[:, 0]
    assert np.abs(waved - label).max() < 10  # ten sines at most
    assert np.abs(waved - label).max() > 1


def test_the_noise_has_the_deviation_asked_for() -> None:
    quiet, loud = (labels_of(num_tasks=1, clusters=1, noise=noise) for noise in (0.0, 0.5))
    assert (loud - quiet).std() == pytest.approx(0.5, rel=0.05)


def test_further_tasks_and_clusters_leave_a_tasks_labels_as_they_are() -> None:
    few = labels_of(num_tasks=2, clusters=1, assignment=(0, 0))
    more = labels_of(num_tasks=3, clusters=2, assignment=(0, 0, 1))
    np.testing.assert_array_equal(few, more[:, :2])


def test_binary_labels_are_even_and_missing_labels_are_as_many_as_asked(tmp_path: Path) -> None:
    data = loaded(tmp_path, kind="binary", labelled=0.5, num_tasks=3, clusters=3)
    assert np.nanmean(data.labels) == pytest.approx(0.5, abs=0.05)
    assert np.isnan(data.labels).mean(axis=0) == pytest.approx(0.5, abs=0.05)
    assert (np.isnan(data.labels[:, 0]) != np.isnan(data.labels[:, 1])).any()


def test_the_truth_survives_the_cache_and_every_option_changes_the_digest(tmp_path: Path) -> None:
    first = loaded(tmp_path)
    assert first.truth == loaded(tmp_path).truth
    assert first.truth is not None
    assert first.truth["clusters"] == [0, 0, 1, 1]
    changed = {"seed": 1, "noise": 0.2, "waves": 5, "correlation": 0.5, "within": 0.5, "rows": 3000, "dims": 40}
    digests = {loaded(tmp_path, **{name: value}).digest for name, value in changed.items()}
    assert len(digests | {first.digest}) == len(changed) + 1


@pytest.mark.parametrize(
    ("options", "where", "message"),
    [
        ({"num_tasks": 0}, ".num_tasks", "greater than or equal to 1"),
        ({"correlation": 1.5}, ".correlation", "less than or equal to 1"),
        ({"tasks": 3}, ".tasks", "one of the options num_tasks"),
        ({"num_tasks": 2, "clusters": 3}, "", "as many clusters as tasks"),
        ({"assignment": [0, 1]}, "", "an assignment of 4 tasks"),
        ({"assignment": [0, 0, 2, 2]}, "", "clusters 0 to 1"),
        ({"dims": 2}, "", "dims of at least 3"),
        ({"dims": 4, "within": 0.5}, "", "dims of at least 7"),
        ({"rows": 10_000_000, "dims": 4096}, "", "rows"),
    ],
)
def test_impossible_options_name_their_place(options: dict[str, object], where: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        PLANTED.check_options(options)
    assert caught.value.where == "data.source.options" + where
