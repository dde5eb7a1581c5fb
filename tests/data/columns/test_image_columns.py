"""Images: read from arrays and files, kept as bytes, numbers from 0 to 1 in a batch; the export encodes them alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from mtnas.data import CATALOGUE, DataSchema, encode_rows, load, profile
from mtnas.data.columns.image_columns import image_column, pixels_of
from mtnas.data.data_spec import DataSpec, Feature, FileSource, ImageArray, ImageFiles
from mtnas.data.encoding.fitting import fit_schema
from mtnas.errors import DataAccessError, DataError
from mtnas.export.expected_outputs import rows_as_json
from mtnas.export.preprocessing_tables import preprocessing_json, vocabularies_json
from mtnas.export.standalone.preprocessing import Preprocessing
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from tests.data.people import access_to

TASKS = (Task(name="bright", kind=TaskKind.BINARY, label="bright"),)
NUM_ROWS = 200


def pixels(num_rows: int = NUM_ROWS, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (num_rows, *(shape or (4, 5, 3)))).astype(np.uint8)


def labels(folder: Path, **columns: object) -> FileSource:
    rng = np.random.default_rng(1)
    table = pa.table({"bright": rng.integers(0, 2, NUM_ROWS), "weight": rng.normal(size=NUM_ROWS), **columns})
    pc_csv.write_csv(table, folder / "labels.csv")
    return FileSource(paths=("labels.csv",))


def test_an_array_of_images_becomes_numbers_from_0_to_1_behind_the_others(tmp_path: Path) -> None:
    images = pixels()
    np.save(tmp_path / "pixels.npy", images)
    source = labels(tmp_path).model_copy(update={"images": ImageArray(path="pixels.npy")})
    data = load(DataSpec(source=source), TASKS, access=access_to(tmp_path))
    assert data.schema.images[0].shape == (3, 4, 5)
    assert data.images.dtype == np.uint8
    assert data.inputs.num_numeric == 2 + 60  # a number and its place between knots, then pixels
    batch = ResidentData.of(data, torch.device("cpu")).gather(torch.tensor([[5, 0]]))
    expected = np.moveaxis(images[[5, 0]], 3, 1).reshape(2, -1) / 255
    np.testing.assert_allclose(batch.numeric[0, :, 2:].numpy(), expected, rtol=1e-6)
    np.testing.assert_array_equal(batch.numeric[0, :, :2].numpy(), data.numeric[[5, 0]])
    again = load(DataSpec(source=source), TASKS, access=access_to(tmp_path))
    np.testing.assert_array_equal(again.images, data.images)
    assert again.digest == data.digest


def test_other_pixels_are_other_data(tmp_path: Path) -> None:
    digests = set()
    for first in (0, 1):
        images = pixels(NUM_ROWS, 3, 3)
        images[0, 0, 0] = first
        np.savez(tmp_path / "pixels.npz", images)
        source = labels(tmp_path).model_copy(update={"images": ImageArray(path="pixels.npz")})
        digests.add(load(DataSpec(source=source), TASKS, access=access_to(tmp_path)).digest)
    assert len(digests) == 2


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_files_named_by_a_column_are_brought_to_one_shape(tmp_path: Path, channels: int, mode: str) -> None:
    (tmp_path / "pictures").mkdir()
    grey = pixels(3, 8, 6)
    for number, of_file in enumerate(grey):
        Image.fromarray(of_file).save(tmp_path / "pictures" / f"{number}.png")
    names = [f"{row % 3}.png" for row in range(NUM_ROWS)]
    files = ImageFiles(folder="pictures", names="file", shape=(channels, 4, 3))
    source = labels(tmp_path, file=names).model_copy(update={"images": files})
    data = load(DataSpec(source=source, exclude=("file",)), TASKS, access=access_to(tmp_path))
    assert data.images.shape == (NUM_ROWS, channels * 12)
    of_areas = grey.reshape(3, 4, 2, 3, 2).mean((2, 4)).reshape(3, 12)
    np.testing.assert_allclose(data.images[:3, :12], of_areas, atol=1.01)  # rounded per axis
    np.testing.assert_array_equal(data.images[0], data.images[3])


def test_a_profile_knows_a_column_of_images(tmp_path: Path) -> None:
    np.save(tmp_path / "pixels.npy", pixels())
    source = labels(tmp_path).model_copy(update={"images": ImageArray(path="pixels.npy", column="photo")})
    found = profile(source, access=access_to(tmp_path))
    column = found.column("photo")
    assert column is not None
    assert (str(column.storage), column.length, column.missing) == ("image", 60, 0)
    assert found.inferred["photo"] == "image"


def test_what_is_no_image_is_refused_by_name(tmp_path: Path) -> None:
    source, access = labels(tmp_path, file=["a.png"] * NUM_ROWS), access_to(tmp_path)
    np.save(tmp_path / "floats.npy", np.zeros((NUM_ROWS, 4, 4)))
    np.save(tmp_path / "few.npy", pixels(3))
    (tmp_path / "a.png").write_text("no image")
    outside = ImageFiles(folder="..", names="file", shape=(1, 4, 4))
    for images, error, words in (
        (ImageArray(path="floats.npy"), DataError, "float64"),
        (ImageArray(path="few.npy"), DataError, "an image for each of 200 rows"),
        (ImageArray(path="labels.csv"), DataError, "a .npy or .npz file"),
        (ImageArray(path="few.npy", column="weight"), DataError, "a name that no column has"),
        (ImageFiles(folder=".", names="file", shape=(1, 4, 4)), DataError, r"row 1 \(a.png\)"),
        (ImageFiles(folder=".", names="weight", shape=(1, 4, 4)), DataAccessError, "column 'weight'"),
        (outside, DataAccessError, "below the data roots"),
    ):
        with pytest.raises(error, match=words):
            load(DataSpec(source=source.model_copy(update={"images": images})), TASKS, access=access)


def test_a_column_of_images_is_no_number_and_a_number_no_image(tmp_path: Path) -> None:
    np.save(tmp_path / "pixels.npy", pixels())
    source = labels(tmp_path).model_copy(update={"images": ImageArray(path="pixels.npy")})
    for column, kind in (("image", "numeric"), ("weight", "image"), ("image", "dense_vector")):
        spec = DataSpec(source=source, features=(Feature(column=column, kind=kind),))  # type: ignore[arg-type]
        with pytest.raises(DataError, match=f"column '{column}'"):
            load(spec, TASKS, access=access_to(tmp_path))


def test_missing_images_are_zeros() -> None:
    images = pixels(3, 1, 2, 2)
    kind = image_column(images).type
    stored = pa.array([images[0].ravel().tolist(), None, images[2].ravel().tolist()], kind.storage_type)
    with_gap = pa.chunked_array([pa.ExtensionArray.from_storage(kind, stored)])
    found = pixels_of(with_gap, name="image")
    np.testing.assert_array_equal(found, np.stack([images[0].ravel(), np.zeros(4), images[2].ravel()]))


@pytest.mark.parametrize("bins", [0, 4])
@pytest.mark.parametrize("rows", [1, 7])
def test_the_export_encodes_images_as_training_does(rows: int, bins: int) -> None:
    table = pa.table({"image": image_column(pixels(rows, 2, 3, 4)), "weight": np.arange(float(rows))})
    features = (Feature(column="weight", kind="numeric", bins=bins), Feature(column="image", kind="image"))
    schema = DataSchema.from_json(json.loads(json.dumps(fit_schema(table, features, np.arange(rows)).to_json())))
    documents = (preprocessing_json(schema, bag_arguments=[]), vocabularies_json(schema))
    preprocessing = Preprocessing(*(json.loads(json.dumps(document)) for document in documents))
    encoded = encode_rows(schema, table)
    expected = np.concatenate([encoded.numeric, encoded.images.astype(np.float32) / np.float32(255)], 1)
    given = rows_as_json(schema, table)
    np.testing.assert_allclose(preprocessing(given)["numeric"], expected, rtol=1e-6)
    flat = {"weight": given["weight"], "image": np.array(given["image"]).reshape(rows, -1)}
    np.testing.assert_allclose(preprocessing(flat)["numeric"], expected, rtol=1e-6)
    for wrong, words in ((np.full((rows, 2, 3, 4), 256), "0 to 255"), (np.zeros((rows, 3, 4)), r"shape \(2, 3, 4\)")):
        with pytest.raises(ValueError, match=words):
            preprocessing({"weight": given["weight"], "image": wrong})


def test_the_catalogue_has_a_set_of_images() -> None:
    known = CATALOGUE["omniglot"]
    assert [feature.kind for feature in known.features(known.options())] == ["image"]
