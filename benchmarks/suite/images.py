"""Images: pairs of MNIST digits on one canvas, and alphabets of Omniglot.

Multi-MNIST (Sabour et al., 2017; Sener & Koltun, 2018): two digits overlaid on 36 x 36, tasks are the left upper and
the right lower digit. Pairs of train and valid come from MNIST's training file, those of test from its other file.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.suite.data_sets import BY_PART, PART, DataSet, Document
from mtnas.data.access import data_dir_from_environment
from mtnas.data.catalogue.omniglot import CHARACTERS

_CANVAS, _DIGIT = 36, 28
_TASKS = tuple({"name": name, "kind": "multiclass", "num_classes": 10, "tower": [32]} for name in ("left", "right"))


def images(*, quick: bool) -> list[DataSet]:
    """Multi-MNIST of 20,000 pairs, twenty alphabets; quick: 1,000 pairs alone."""
    if quick:
        return [multi_mnist(1_000)]
    return [multi_mnist(20_000), omniglot(20)]


def multi_mnist(pairs: int) -> DataSet:
    """So many pairs to train and to choose on, and a quarter as many for ``test``."""

    def write(folder: Path, draw: int) -> Document:
        counts = {"train": pairs * 7 // 8, "valid": pairs - pairs * 7 // 8, "test": pairs // 4}
        parts = {part: _pairs(part, count, draw) for part, count in counts.items()}
        np.save(folder / "images.npy", np.concatenate([canvas for canvas, _ in parts.values()]))
        labels = np.concatenate([classes for _, classes in parts.values()])
        table = pd.DataFrame(labels, columns=["left", "right"])
        table.assign(**{PART: np.repeat(list(counts), list(counts.values()))}).to_csv(folder / "rows.csv", index=False)
        source = {"kind": "file", "paths": ["rows.csv"], "images": {"kind": "array", "path": "images.npy"}}
        return {"source": source, "split": BY_PART, "features": [{"column": "image", "kind": "image"}]}

    return DataSet(name=f"multi-mnist/{pairs}", write=write, tasks=_TASKS, image=(1, _CANVAS, _CANVAS))


def omniglot(alphabets: int) -> DataSet:
    """The first alphabets of the Gumbel-Matrix paper's list, drawings of 28 x 28; the split is the catalogue's."""
    tasks = tuple(
        {"name": _task(name), "kind": "multiclass", "num_classes": count, "tower": []}
        for name, count in list(CHARACTERS.items())[:alphabets]
    )
    source = {"kind": "catalogue", "name": "omniglot", "options": {"alphabets": alphabets, "size": 28}}
    return DataSet(
        name=f"omniglot/{alphabets}",
        write=lambda folder, draw: {"source": source},
        tasks=tasks,
        image=(1, 28, 28),
        parts={"training": {"batches": "per_task", "batch_size": 16, "epochs": 20, "dropout": 0.0}},
    )


def _task(alphabet: str) -> str:
    return re.sub(r"[\W_]+", "_", alphabet).strip("_").lower()


def _pairs(part: str, count: int, draw: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    file, seed = ("t10k", 1) if part == "test" else ("train", 0 if part == "train" else 2)
    folder = data_dir_from_environment()
    assert folder is not None, "MTNAS_DATA_DIR holds mnist"
    digits = _idx(folder / "mnist" / f"{file}-images-idx3-ubyte.gz", 16).reshape(-1, _DIGIT, _DIGIT)
    classes = _idx(folder / "mnist" / f"{file}-labels-idx1-ubyte.gz", 8)
    half = len(digits) // 6 * 5
    pool = {"train": (0, half), "valid": (half, len(digits)), "test": (0, len(digits))}[part]
    left, right = np.random.default_rng([draw, seed]).integers(*pool, (2, count))
    canvas = np.zeros((count, _CANVAS, _CANVAS), np.uint8)
    canvas[:, :_DIGIT, :_DIGIT] = digits[left]
    canvas[:, -_DIGIT:, -_DIGIT:] = np.maximum(canvas[:, -_DIGIT:, -_DIGIT:], digits[right])
    return canvas, np.stack([classes[left], classes[right]], 1)


def _idx(path: Path, header: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(gzip.decompress(path.read_bytes())[header:], np.uint8)
