"""Omniglot: an alphabet a task, the published split, and an order of labels that no hash decides."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtnas.data import CATALOGUE, DataAccess, load
from mtnas.data.catalogue import omniglot_files
from mtnas.data.catalogue.omniglot import CHARACTERS, OmniglotOptions, task_name
from mtnas.data.data_spec import CatalogueSource, DataSpec
from mtnas.errors import DataError
from mtnas.tasks import Task

SMALL = ("Ge_ez", "Malay_(Jawi_-_Arabic)")
COUNTS = {"Ge_ez": 3, "Malay_(Jawi_-_Arabic)": 2}


@pytest.fixture
def access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataAccess:
    """Archives of a few drawings: a character's number of dark columns tells the character."""
    folder = tmp_path / "data" / "omniglot"
    folder.mkdir(parents=True)
    for alphabet, name in zip(SMALL, omniglot_files.DRAWINGS, strict=True):
        with zipfile.ZipFile(folder / name, "w") as archive:
            for character in range(COUNTS[alphabet], 0, -1):
                for drawer in range(1, 21):
                    pixels = np.full((105, 105), 255, np.uint8)
                    pixels[:, : 15 * character] = 0
                    content = BytesIO()
                    Image.fromarray(pixels).convert("1").save(content, "PNG")
                    path = f"{name.removesuffix('.zip')}/{alphabet}/character{character:02}/{character}_{drawer:02}.png"
                    archive.writestr(path, content.getvalue())
    drawings = {name: 20 * COUNTS[alphabet] for alphabet, name in zip(SMALL, omniglot_files.DRAWINGS, strict=True)}
    monkeypatch.setattr(omniglot_files, "DRAWINGS", drawings)
    return DataAccess(cache=tmp_path / "cache", data_dir=tmp_path / "data")


def asked(**options: object) -> tuple[DataSpec, tuple[Task, ...]]:
    known = CATALOGUE["omniglot"]
    options = {"alphabets": list(SMALL), "size": 35} | options
    spec = DataSpec(source=CatalogueSource(name="omniglot", options=options))
    return spec, known.tasks(known.check_options(options))


def test_every_drawing_has_the_label_of_its_own_alphabet_alone_and_ink_is_one(access: DataAccess) -> None:
    spec, tasks = asked()
    data = load(spec, tasks, access=access)
    assert [task.name for task in tasks] == ["ge_ez", "malay_jawi_arabic"]
    assert data.rows_belong_to_tasks
    assert data.schema.images[0].shape == (1, 35, 35)
    images = data.images.reshape(-1, 35, 35)
    for task, alphabet in enumerate(SMALL):
        of_task = ~np.isnan(data.labels[:, task])
        assert of_task.sum() == 20 * COUNTS[alphabet]
        dark_columns = (images[of_task] == 255).all(1).sum(1)
        np.testing.assert_array_equal(dark_columns, 5 * (data.labels[of_task, task] + 1))
        assert (images[of_task, :, -1] == 0).all()


def test_the_published_split_takes_10_4_and_6_drawings_of_every_character(access: DataAccess) -> None:
    spec, tasks = asked()
    data = load(spec, tasks, access=access)
    training = np.concatenate([data.parts["train"], data.parts["search"]])
    for rows, count in ((training, 10), (data.parts["valid"], 4), (data.parts["test"], 6)):
        found = Counter(map(tuple, np.nan_to_num(data.labels[rows], nan=-1).tolist()))
        assert set(found.values()) == {count}
        assert len(found) == sum(COUNTS.values())


def test_a_character_keeps_its_split_whatever_other_alphabets_there_are(access: DataAccess) -> None:
    both, alone = asked(), asked(alphabets=[SMALL[1]])
    data, of_one = load(*both, access=access), load(*alone, access=access)
    num_others = 20 * COUNTS[SMALL[0]]
    kept = data.parts["test"][data.parts["test"] >= num_others] - num_others
    np.testing.assert_array_equal(kept, of_one.parts["test"])
    other_seed = load(*asked(alphabets=[SMALL[1]], seed=1), access=access)
    assert not np.array_equal(other_seed.parts["test"], of_one.parts["test"])


def test_alphabets_are_named_or_counted_in_the_papers_order() -> None:
    assert OmniglotOptions().names == tuple(CHARACTERS)[:20]
    assert OmniglotOptions().names[0] == "Gujarati"
    assert sum(CHARACTERS.values()) == 1623
    assert len({task_name(name) for name in CHARACTERS}) == len(CHARACTERS) == 50
    for wrong in (["Klingon"], ["Greek", "Greek"], 51, 0):
        with pytest.raises(DataError, match=r"data\.source\.options"):
            CATALOGUE["omniglot"].check_options({"alphabets": wrong})


@pytest.mark.skipif("MTNAS_DATA_DIR" not in os.environ, reason="needs the real drawings")
def test_labels_do_not_depend_on_hashing(tmp_path: Path) -> None:
    """The real drawings of two alphabets, read by two processes that hash texts differently."""
    script = (
        "import hashlib, sys; from pathlib import Path\n"
        "from mtnas.data import CATALOGUE, DataAccess, load\n"
        "from mtnas.data.data_spec import CatalogueSource, DataSpec\n"
        "options = {'alphabets': 2, 'size': 14}; known = CATALOGUE['omniglot']\n"
        "data = load(DataSpec(source=CatalogueSource(name='omniglot', options=options)),\n"
        "            known.tasks(known.check_options(options)), access=DataAccess(cache=Path(sys.argv[1])))\n"
        "print(hashlib.sha256(data.labels.tobytes() + data.images.tobytes()).hexdigest(), data.digest, data.num_rows)\n"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / seed)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert found[0] == found[1]
    assert found[0].split()[2] == str(20 * (48 + 28))
