"""omniglot: handwritten characters of 50 alphabets; every alphabet is a task with drawings of its own.

The protocol of Maziarz et al., 2019 (https://arxiv.org/abs/1910.04915, METHODS.md section 3): alphabets in the order of
earlier papers, whole drawings of 105 x 105 with ink as 1, and per character 10 / 4 / 6 of its 20 drawings for train,
valid and test, shuffled per alphabet. Which drawing lands where is ours: their shuffle depends on the order in which
another library stores the drawings. No augmentation.
"""

from __future__ import annotations

import re
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from mtnas.data.access import DataAccess
from mtnas.data.catalogue.catalogue_set import CatalogueSet, SourceTable
from mtnas.data.catalogue.omniglot_files import SIZE, digest_of_drawings, omniglot_archives, read_drawings
from mtnas.data.columns.image_columns import image_column
from mtnas.data.data_spec import ColumnSplit, Feature, Part
from mtnas.tasks import Task, TaskKind

_FORMAT = 1  # of the reading and the split; part of the identity
_TRAIN, _VALID = 10, 4  # of a character's 20 drawings; the rest is for test

CHARACTERS = {
    "Gujarati": 48,
    "Sylheti": 28,
    "Arcadian": 26,
    "Tibetan": 42,
    "Old_Church_Slavonic_(Cyrillic)": 45,
    "Angelic": 20,
    "Malay_(Jawi_-_Arabic)": 40,
    "Sanskrit": 42,
    "Cyrillic": 33,
    "Anglo-Saxon_Futhorc": 29,
    "Syriac_(Estrangelo)": 23,
    "Ge_ez": 26,
    "Japanese_(katakana)": 47,
    "Keble": 26,
    "Manipuri": 40,
    "Alphabet_of_the_Magi": 20,
    "Gurmukhi": 45,
    "Korean": 40,
    "Early_Aramaic": 22,
    "Atemayar_Qelisayer": 26,
    "Tagalog": 17,
    "Mkhedruli_(Georgian)": 41,
    "Inuktitut_(Canadian_Aboriginal_Syllabics)": 16,
    "Tengwar": 25,
    "Hebrew": 22,
    "N_Ko": 33,
    "Grantha": 43,
    "Latin": 26,
    "Syriac_(Serto)": 23,
    "Tifinagh": 55,
    "Balinese": 24,
    "Mongolian": 30,
    "ULOG": 26,
    "Futurama": 26,
    "Malayalam": 47,
    "Oriya": 46,
    "Ojibwe_(Canadian_Aboriginal_Syllabics)": 14,
    "Avesta": 26,
    "Kannada": 41,
    "Bengali": 46,
    "Japanese_(hiragana)": 52,
    "Armenian": 41,
    "Aurek-Besh": 26,
    "Glagolitic": 45,
    "Asomtavruli_(Georgian)": 40,
    "Greek": 24,
    "Braille": 26,
    "Burmese_(Myanmar)": 34,
    "Blackfoot_(Canadian_Aboriginal_Syllabics)": 14,
    "Atlantean": 26,
}


def task_name(alphabet: str) -> str:
    """The alphabet as the name of its task and of its label's column."""
    return re.sub(r"[\W_]+", "_", alphabet).strip("_").lower()


class OmniglotOptions(Part):
    """Which drawings.

    ``alphabets``: names, or how many of them in the papers' order (20 published). ``size``: rows and columns of a
    drawing, 105 as published. ``seed``: of the split.
    """

    alphabets: Annotated[int, Field(ge=1, le=len(CHARACTERS))] | Annotated[tuple[str, ...], Field(min_length=1)] = 20
    size: Annotated[int, Field(ge=8, le=SIZE)] = SIZE
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _alphabets_exist(self) -> OmniglotOptions:
        unknown = [name for name in self.names if name not in CHARACTERS]
        if unknown or len(set(self.names)) != len(self.names):
            raise ValueError(f"different alphabets among {list(CHARACTERS)}, found {unknown or list(self.names)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The alphabets."""
        return tuple(CHARACTERS)[: self.alphabets] if isinstance(self.alphabets, int) else self.alphabets


def _tasks(options: OmniglotOptions) -> tuple[Task, ...]:
    return tuple(
        Task(
            name=task_name(name),
            kind=TaskKind.MULTICLASS,
            label=task_name(name),
            num_classes=CHARACTERS[name],
            tower=(),
        )
        for name in options.names
    )


def _features(_: OmniglotOptions) -> tuple[Feature, ...]:
    return (Feature(column="image", kind="image"),)


def _split(_: OmniglotOptions) -> ColumnSplit:
    return ColumnSplit(column="part", train=("train",), valid=("valid",), test=("test",))


def _identity(options: OmniglotOptions, access: DataAccess) -> object:
    drawings = digest_of_drawings(omniglot_archives(access))
    return {"format": _FORMAT, "drawings": drawings, "names": list(options.names), **options.model_dump(mode="json")}


def _read(options: OmniglotOptions, access: DataAccess) -> SourceTable:
    drawings = read_drawings(omniglot_archives(access), options.names, size=options.size)
    alphabets, characters, drawers, pixels = zip(*drawings, strict=True)
    columns = {
        "image": image_column(np.stack(pixels)[:, None]),
        "alphabet": pa.array(alphabets),
        "character": pa.array(characters),
        "drawer": pa.array(drawers, pa.int32()),
        "part": pa.array(_parts(alphabets, characters, seed=options.seed)),
    }
    for name in options.names:
        known = sorted(
            {character for alphabet, character in zip(alphabets, characters, strict=True) if alphabet == name}
        )
        place = {(name, character): number for number, character in enumerate(known)}
        classes = [place.get(key) for key in zip(alphabets, characters, strict=True)]
        columns[task_name(name)] = pa.array(classes, pa.int32())
    return SourceTable(table=pa.table(columns))


def _parts(alphabets: tuple[str, ...], characters: tuple[str, ...], *, seed: int) -> list[str]:
    """Per drawing its part; a character's part of it depends on nothing but the alphabet and the seed."""
    order = list(CHARACTERS)
    rngs = {name: np.random.default_rng([seed, order.index(name)]) for name in dict.fromkeys(alphabets)}
    rows: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(alphabets, characters, strict=True)):
        rows.setdefault(key, []).append(row)
    parts = ["test"] * len(alphabets)
    for (alphabet, _), of_character in sorted(rows.items()):
        shuffled = rngs[alphabet].permutation(of_character).tolist()
        for place, row in enumerate(shuffled[: _TRAIN + _VALID]):
            parts[row] = "train" if place < _TRAIN else "valid"
    return parts


OMNIGLOT = CatalogueSet(
    name="omniglot",
    title="Omniglot: characters of 50 alphabets, an alphabet a task",
    description=(
        "32,460 drawings of 1,623 characters by 20 people. Every alphabet is a task: tell which of its characters a "
        "drawing shows; no drawing belongs to two tasks. Ink is 1. Per character 10 drawings are for training, 4 for "
        "valid and 6 for test, shuffled per alphabet; split by group over 'drawer' to test on other people's hands."
    ),
    licence="MIT (Copyright 2015 Brenden Lake)",
    citation="Lake, Salakhutdinov and Tenenbaum, Human-level concept learning through probabilistic program induction, "
    "Science 350, 2015.",
    homepage="https://github.com/brendenlake/omniglot",
    num_rows=20 * sum(list(CHARACTERS.values())[:20]),
    options=OmniglotOptions,
    tasks=_tasks,
    labels=_tasks,
    features=_features,
    split=_split,
    identity=_identity,
    read=_read,
    columns=("alphabet", "character", "drawer", "part"),
)
