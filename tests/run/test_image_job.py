"""Whole jobs over images that belong to one task each: baselines of equal size, search, retraining, report, export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from mtnas.data import CATALOGUE, DataAccess, check_against_profile
from mtnas.errors import MtnasError
from mtnas.export.verify import verify_export
from mtnas.routes import RouteGraph
from mtnas.routes.schemes import image_size
from mtnas.run import InProcessExecutor, MemoryJournal
from mtnas.run.context import own_rows
from mtnas.run.phases.prepare import prepare
from mtnas.spec import CatalogueSource
from tests.run.jobs import run, spec_of

SIZE, PER_TASK, CLASSES = 8, 90, 3
TASKS = ("across", "down")
EXAMPLES = Path(__file__).parents[2] / "examples"
IMAGE_JOB: dict[str, Any] = {
    "name": "images",
    "data": {
        "source": {
            "kind": "file",
            "paths": ["labels.parquet"],
            "images": {"kind": "array", "path": "images.npy"},
        },
        "features": [{"column": "image", "kind": "image"}],
        "split": {"kind": "ratio", "valid": 0.2, "test": 0.2},
    },
    "tasks": [{"name": name, "kind": "multiclass", "num_classes": CLASSES, "tower": []} for name in TASKS],
    "space": {"name": "gumbel_matrix", "options": {"layers": 2, "image": [1, SIZE, SIZE], "channels": 4}},
    "search": {"kind": "random", "generation": 2},
    "training": {"batch_size": 8, "epochs": 1, "lr": 0.01, "dropout": 0.0},
    "protocol": {
        "level": "quick",
        "seeds": 1,
        "finalists": 1,
        "random_search": False,
    },
    "budget": {"trials": 2},
    "export": {"top": 1, "ensemble": "none"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars on noise: their place is the class. One task has rows of them, the other columns."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (2 * PER_TASK, SIZE, SIZE)).astype(np.uint8)
    task, classes = rng.permutation(2 * PER_TASK) % 2, rng.integers(0, CLASSES, 2 * PER_TASK)
    for image, of_task, place in zip(images, task, classes, strict=True):
        (image if of_task == 0 else image.T)[1 + 2 * place] = 255
    np.save(folder / "images.npy", images)
    labels = {name: pa.array(classes, mask=task != number) for number, name in enumerate(TASKS)}
    pq.write_table(pa.table(labels), folder / "labels.parquet")
    return folder


@pytest.fixture(scope="module")
def access(folder: Path) -> DataAccess:
    return DataAccess(roots=(folder,), cache=folder / "cache", data_dir=None)


def rows_of(report: Mapping[str, Any]) -> dict[str, Any]:
    return {row["label"]: row for row in report["rows"]}


def test_a_job_over_images_ends_with_an_export_that_passes_its_own_check(access: DataAccess, tmp_path: Path) -> None:
    journal = MemoryJournal(tmp_path)
    report = run(spec_of(base=IMAGE_JOB), journal, access)
    rows = rows_of(report)
    assert list(rows) == ["single_task", "shared_bottom", "mmoe", "finalist-1"]
    for label in ("single_task", "shared_bottom", "mmoe"):
        assert rows[label]["num_params"] == pytest.approx(rows["finalist-1"]["num_params"], rel=0.15)
    for row in rows.values():
        assert set(row["per_task"]) == set(TASKS)
        assert all(0 <= cells["test"]["mean"] <= 1 for cells in row["per_task"].values())
    (export,) = [path.parent for path in tmp_path.rglob("manifest.json")]
    verify_export(export)
    assert '"kind": "image"' in (export / "manifest.json").read_text()


SEARCHES: list[dict[str, Any]] = [
    {"kind": "reinforce", "routes_per_step": 4, "reward_rows": 16, "warmup": 0.2},
    {"kind": "gumbel", "architecture_rows": 16, "warmup": 0.2},
]


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search["kind"])
def test_searches_over_shared_weights_work_on_images_of_tasks(
    access: DataAccess, tmp_path: Path, search: dict[str, Any]
) -> None:
    protocol = IMAGE_JOB["protocol"] | {"baselines": ["full_sharing"]}
    training = IMAGE_JOB["training"] | {"epochs": 3}
    spec = spec_of(base=IMAGE_JOB, search=search, protocol=protocol, training=training, export={"top": 0})
    rows = rows_of(run(spec, MemoryJournal(tmp_path), access))
    assert list(rows) == ["single_task", "full_sharing", "finalist-1", "ensemble"]
    assert rows["full_sharing"]["num_params"] == pytest.approx(rows["finalist-1"]["num_params"], rel=0.05)


@pytest.mark.parametrize(("asked", "found"), [("auto", True), ("mixed", False), ("per_task", True)])
def test_batches_are_per_task_where_no_row_has_labels_of_several(access: DataAccess, asked: str, found: bool) -> None:
    spec = spec_of(base=IMAGE_JOB, training=IMAGE_JOB["training"] | {"batches": asked})
    journal = MemoryJournal()
    context = prepare(spec, access=access, executor=InProcessExecutor(), journal=journal, device="cpu")
    assert own_rows(spec, context.data) is found
    assert context.recipe.own_rows is found


def test_what_needs_every_row_for_every_task_keeps_mixed_batches(access: DataAccess) -> None:
    aligned = IMAGE_JOB["training"] | {"alignment": {}}
    context = prepare(
        spec_of(base=IMAGE_JOB, training=aligned),
        access=access,
        executor=InProcessExecutor(),
        journal=MemoryJournal(),
        device="cpu",
    )
    assert not context.recipe.own_rows
    with pytest.raises(ValueError, match="goes with neither"):
        spec_of(base=IMAGE_JOB, training=aligned | {"batches": "per_task"})


def test_a_baseline_that_there_is_not_over_images_is_refused_by_name(access: DataAccess, tmp_path: Path) -> None:
    spec = spec_of(base=IMAGE_JOB, protocol=IMAGE_JOB["protocol"] | {"baselines": ["ple"]})
    with pytest.raises(MtnasError, match="over images"):
        run(spec, MemoryJournal(tmp_path), access)


def test_an_image_of_another_size_than_the_space_reads_is_refused(access: DataAccess, tmp_path: Path) -> None:
    options = {"layers": 2, "image": [1, SIZE + 1, SIZE], "channels": 4}
    spec = spec_of(base=IMAGE_JOB, space={"name": "gumbel_matrix", "options": options})
    with pytest.raises(MtnasError, match="input width 72, found 64"):
        run(spec, MemoryJournal(tmp_path), access)


def test_the_example_asks_for_the_catalogues_tasks_and_a_space_that_reads_its_images() -> None:
    spec = spec_of(base=yaml.safe_load((EXAMPLES / "omniglot.yaml").read_text()))
    source = spec.data.source
    assert isinstance(source, CatalogueSource)
    known = CATALOGUE[source.name]
    options = known.check_options(source.options)
    assert [task.to_task() for task in spec.tasks] == list(known.tasks(options))
    assert check_against_profile(spec.data, known.tasks(options), None) == ()
    assert spec.space.graph is not None
    size = image_size(RouteGraph.from_json(spec.space.graph))
    assert size is not None
    assert size.image == (1, source.options["size"], source.options["size"])
