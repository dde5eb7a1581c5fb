"""Downloaded recommendation data: files that lie as documented become the documented tasks, inputs and parts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.suite.data_sets import DataSet
from benchmarks.suite.recommendation import ali_ccp, aliexpress, kuairand, movielens, recommendation
from mtnas.data import DataAccess, EncodedData, load
from mtnas.spec import JobSpec

NEEDS_SAMPLES = pytest.mark.skipif("MTNAS_DATA_DIR" not in os.environ, reason="needs samples of the real files")


COPIES = 30


def sample(name: str) -> Path:
    return Path(os.environ["MTNAS_DATA_DIR"]) / "rec_format_samples" / name


def laid(root: Path, **files: Path) -> None:
    """Copies of files, by the value of ``part`` that their folder gives: so many that rare labels are in every part."""
    for part, path in files.items():
        (root / f"part={part}").mkdir(parents=True)
        for copy in range(COPIES):
            shutil.copy(path, root / f"part={part}" / f"{copy}.csv")


def loaded(data: DataSet, root: Path) -> EncodedData:
    (root / "scratch").mkdir(exist_ok=True)
    said = {"name": "rows", "data": data.write(root / "scratch", 0), "tasks": list(data.tasks)}
    spec = JobSpec.model_validate(said)
    access = DataAccess(roots=(root / "scratch", root), cache=root / "cache")
    return load(spec.data, [task.to_task() for task in spec.tasks], access=access)


@NEEDS_SAMPLES
def test_aliexpress_is_read_as_it_is_published(tmp_path: Path) -> None:
    train, test = sample("aliexpress_train_sample.csv"), sample("aliexpress_test_sample.csv")
    laid(tmp_path / "aliexpress" / "NL", train=train, test=test)
    assert [data.name for data in recommendation(tmp_path)] == ["aliexpress/NL"]
    data = loaded(aliexpress("NL"), tmp_path)
    assert len(data.parts["train"]) + len(data.parts["search"]) == COPIES * 100
    assert (len(data.parts["valid"]), len(data.parts["test"])) == (COPIES * 10, COPIES * 10)
    written = pd.concat([pd.read_csv(train), pd.read_csv(test)])
    found = data.labels[np.concatenate(list(data.parts.values()))]
    assert found.sum(axis=0).tolist() == [COPIES * written["click"].sum(), COPIES * written["conversion"].sum()]
    assert not {"search_id", "click", "conversion", "part"} & set(data.schema.columns)
    assert {"categorical_1", "categorical_16", "numerical_63"} <= set(data.schema.columns)


@NEEDS_SAMPLES
def test_ali_ccp_is_read_as_it_is_published(tmp_path: Path) -> None:
    laid(tmp_path / "ali-ccp", **{part: sample(f"ali_ccp_{part}_sample.csv") for part in ("train", "val", "test")})
    data = loaded(ali_ccp(), tmp_path)
    assert len(data.parts["train"]) + len(data.parts["search"]) == COPIES * 100
    assert (len(data.parts["valid"]), len(data.parts["test"])) == (COPIES * 50, COPIES * 50)
    written = pd.read_csv(sample("ali_ccp_test_sample.csv"))
    found = data.labels[data.parts["test"]]
    assert found.sum(axis=0).tolist() == [COPIES * written["click"].sum(), COPIES * written["purchase"].sum()]
    assert set(data.schema.columns) == set(written) - {"click", "purchase"}


def test_kuairand_joins_users_and_videos_and_keeps_the_future_out(tmp_path: Path) -> None:
    folder = tmp_path / "KuaiRand-Pure" / "data"
    folder.mkdir(parents=True)
    rng, features = np.random.default_rng(0), kuairand().write(tmp_path, 0)["features"]
    names = [feature["column"] for feature in features]
    keys = {"user_id": 5, "video_id": 7}
    of_users = [name for name in names if name.endswith("range") or name in ("user_active_degree",)]
    of_users += ["is_lowactive_period", "is_live_streamer", "is_video_author"]
    of_log = ["tab", "duration_ms"]
    of_videos = [name for name in names if name not in (*of_users, *of_log, *keys)]
    for file, key, columns in (
        ("user_features_pure", "user_id", of_users),
        ("video_features_basic_pure", "video_id", of_videos),
    ):
        table = pd.DataFrame({key: range(keys[key])} | {name: rng.integers(0, 3, keys[key]) for name in columns})
        if "tag" in table:
            table["tag"] = ["1,2", "2", "3,1", "1", "2,3", "3", "1"]
        table.to_csv(folder / f"{file}.csv", index=False)
    for number, days in enumerate(("4_08_to_4_21", "4_22_to_5_08")):
        log = pd.DataFrame({key: rng.integers(0, count, 100) for key, count in keys.items()})
        log["time_ms"] = 1_649_400_000_000 + 1_000 * (100 * number + np.arange(100))
        log["play_time_ms"] = rng.integers(0, 9, 100)
        for name in (*of_log, "is_click", "long_view", "is_like", "is_follow", "is_comment", "is_forward", "is_hate"):
            log[name] = rng.integers(0, 2, 100)
        log.to_csv(folder / f"log_standard_{days}_pure.csv", index=False)
    data = loaded(kuairand(), tmp_path)
    assert set(data.schema.columns) == set(names)
    assert not {"play_time_ms", "is_hate", "time_ms"} & set(names)
    assert data.labels.shape == (200, 6)
    assert (len(data.parts["valid"]), len(data.parts["test"])) == (20, 20)
    assert data.parts["train"].max() < data.parts["test"].min(), "rows lie in the order of the time"


def test_movielens_is_joined_and_liked_is_four_stars_or_five(tmp_path: Path) -> None:
    folder = tmp_path / "ml-1m"
    folder.mkdir()
    (folder / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::02460\n")
    movies = "1::Toy Story (1995)::Animation|Comedy\n2::Les Misérables (1995)::Drama\n"
    (folder / "movies.dat").write_text(movies, encoding="latin-1")
    ratings = [(1 + n % 2, 1 + n // 2 % 2, 1 + n % 5, 978_300_000 + n) for n in range(100)]
    (folder / "ratings.dat").write_text("".join("::".join(map(str, row)) + "\n" for row in ratings))
    assert [data.name for data in recommendation(tmp_path)] == ["movielens-1m"]
    data = loaded(movielens(folder), tmp_path)
    assert (len(data.parts["valid"]), len(data.parts["test"])) == (10, 10)
    assert data.labels[:, 0].sum() == sum(stars >= 4 for _, _, stars, _ in ratings)
