"""Recommendation data that a user has downloaded: AliExpress, Ali-CCP, KuaiRand-Pure, MovieLens-1M.

They are too large, or too restricted, to be fetched by a script. ``docs/benchmark-data.md`` says where they come from
and how their files are to lie below ``MTNAS_DATA_DIR``; the suite has the cells of those that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.suite.data_sets import PART, DataSet, Document, binary

_HALVED = {"kind": "column", "column": PART, "train": ["train"], "test": ["test"], "halve_test": True}
_NAMED = {"kind": "column", "column": PART, "train": ["train"], "valid": ["val"], "test": ["test"]}
_BY_TIME = {"kind": "time", "valid": 0.1, "test": 0.1}
COUNTRIES = ("NL", "ES", "FR", "US")

_CCP_IDS = "101 121 122 124 125 126 127 128 129 205 206 207 210 216 508 509 702 853 301 109_14 110_14 127_14 150_14"
_CCP_NUMBERS = "D109_14 D110_14 D127_14 D150_14 D508 D509 D702 D853"
_KUAI_TASKS = ("is_click", "long_view", "is_like", "is_follow", "is_comment", "is_forward")
_KUAI_IDS = (
    "user_id video_id tab user_active_degree is_lowactive_period is_live_streamer is_video_author "
    "follow_user_num_range fans_user_num_range friend_user_num_range register_days_range author_id video_type "
    "upload_type visible_status music_id music_type"
)
_KUAI_NUMBERS = "duration_ms server_width server_height"
_MOVIE_FILES: Mapping[str, tuple[str, ...]] = {
    "ratings.dat": ("user", "movie", "rating", "timestamp"),
    "users.dat": ("user", "gender", "age", "occupation", "zip"),
    "movies.dat": ("movie", "title", "genres"),
}


def recommendation(root: Path) -> list[DataSet]:
    """The sets whose folders are below ``root``."""
    makers: dict[str, Callable[[], DataSet]] = {f"aliexpress/{name}": _aliexpress(name) for name in COUNTRIES}
    makers |= {"ali-ccp": ali_ccp, "KuaiRand-Pure": kuairand, "ml-1m": lambda: movielens(root / "ml-1m")}
    return [make() for folder, make in makers.items() if (root / folder).is_dir()]


def aliexpress(country: str) -> DataSet:
    """Click and conversion; the halves of the published test file are ``valid`` and ``test``."""
    numbers = " ".join(f"numerical_{n}" for n in range(1, 64))
    features = _features(" ".join(f"categorical_{n}" for n in range(1, 17)), numbers)
    source = {"kind": "file", "paths": [f"aliexpress/{country}"]}
    return _set(f"aliexpress/{country}", ("click", "conversion"), source, features, _HALVED)


def ali_ccp() -> DataSet:
    """Click and purchase, in the parts that were published."""
    source = {"kind": "file", "paths": ["ali-ccp"]}
    return _set("ali-ccp", ("click", "purchase"), source, _features(_CCP_IDS, _CCP_NUMBERS), _NAMED)


def kuairand() -> DataSet:
    """Six kinds of feedback; the last tenths of the time are ``valid`` and ``test``.

    What is known only afterwards (``play_time_ms``, stay times, entered profiles, hate) is no input.
    """
    folder = "KuaiRand-Pure/data"
    source = {
        "kind": "file",
        "paths": [f"{folder}/log_standard_*.csv"],
        "join": [
            {"path": f"{folder}/user_features_pure.csv", "on": ["user_id"]},
            {"path": f"{folder}/video_features_basic_pure.csv", "on": ["video_id"]},
        ],
    }
    features = _features(_KUAI_IDS, _KUAI_NUMBERS)
    features.append({"column": "tag", "kind": "multi_valued", "separator": ","})
    return _set("kuairand-pure", _KUAI_TASKS, source, features, _BY_TIME | {"column": "time_ms"})


def movielens(folder: Path) -> DataSet:
    """Whether a film was liked (four stars or five), and its stars; the last tenths of the time are judged."""

    def write(scratch: Path, _: int) -> Document:
        tables = {
            name: pd.read_csv(
                folder / name, sep="::", engine="python", names=list(columns), encoding="latin-1", dtype={"zip": str}
            )
            for name, columns in _MOVIE_FILES.items()
        }
        rows = tables["ratings.dat"].merge(tables["users.dat"], on="user").merge(tables["movies.dat"], on="movie")
        rows.assign(liked=(rows["rating"] >= 4).astype(int)).to_parquet(scratch / "ratings.parquet")
        features = _features("user movie gender age occupation", "")
        features.append({"column": "genres", "kind": "multi_valued", "separator": "|"})
        source = {"kind": "file", "paths": ["ratings.parquet"]}
        return {"source": source, "features": features, "split": _BY_TIME | {"column": "timestamp"}}

    return DataSet(name="movielens-1m", write=write, tasks=(*binary("liked"), {"name": "rating", "kind": "regression"}))


def _aliexpress(country: str) -> Callable[[], DataSet]:
    return lambda: aliexpress(country)


def _features(categories: str, numbers: str) -> list[dict[str, Any]]:
    found = [{"column": name, "kind": "categorical"} for name in categories.split()]
    return found + [{"column": name, "kind": "numeric"} for name in numbers.split()]


def _set(
    name: str, tasks: tuple[str, ...], source: Document, features: list[dict[str, Any]], split: Document
) -> DataSet:
    data = {"source": source, "features": features, "split": split}
    return DataSet(name=name, write=lambda folder, draw: data, tasks=binary(*tasks))
