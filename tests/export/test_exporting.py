"""Exports of a small run, opened as their users open them."""

import csv
import json

import keras
import numpy as np
import pytest

from lensnet.errors import LensnetError
from lensnet.export import export_run
from lensnet.export.exporting import open_export
from lensnet.export.formats import FORMATS, export_name
from lensnet.overwriting import EXPORT, RUN

ALL = [*((name, None) for name in FORMATS), ("litert", "float16"), ("litert", "int8")]
# Each runtime raises errors of its own, which have no other base.
OTHER_SHAPE = Exception


def needs(name):
    for package in FORMATS[name].needs:
        pytest.importorskip(package)


@pytest.fixture(scope="module")
def test_split(tiny_run, image_folder):
    """Raw images of the test split, and the run's scores for them."""
    with (tiny_run / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    images = np.stack([np.load(image_folder / f"{row['id']}.npy") for row in rows])
    return images[..., None], np.array([[float(row["score_ring"])] for row in rows])


# The others in test_elsewhere.py and test_saved_model.py, too.
QUICK = [("keras", None), ("litert", "int8"), ("onnx", None)]


@pytest.mark.parametrize(
    ("name", "quantize"),
    [
        pytest.param(
            *each, id=export_name(*each), marks=[] if each in QUICK else [pytest.mark.slow]
        )
        for each in ALL
    ],
)
def test_an_export_gives_the_runs_predictions(name, quantize, tiny_run, test_split, tmp_path):
    needs(name)
    images, expected = test_split
    folder = export_run(tiny_run, name, tmp_path / "exported", quantize=quantize)
    mark = json.loads((folder / "lensnet.json").read_text())
    assert mark["classes"] == ["blob", "ring"]
    assert mark["input"] == {"images": ["batch", 32, 32, 1]}
    assert mark["outputs"] == {"probabilities": ["batch", 1]}
    assert mark["check"]["images"] == "the 12 images of the test split"
    assert mark["size_bytes"] > 1000 and mark["speed"]["images_per_second"] > 0
    assert not EXPORT.foreign_files(folder)
    run = open_export(folder, mark)
    atol = {None: 1e-5, "float16": 1e-2, "int8": 0.1}[quantize]
    np.testing.assert_allclose(run(images), expected, atol=atol)
    np.testing.assert_allclose(run(images[:1]), expected[:1], atol=atol)
    found = abs(run(images) - expected).max()
    assert abs(mark["check"]["largest_difference"] - found) < 2e-6
    for shape in ((1, 40, 40, 1), (1, 16, 64, 1), (1, 32, 32, 2), (1, 32, 30, 1)):
        with pytest.raises(OTHER_SHAPE):
            run(np.zeros(shape, "float32"))
    if name == "keras":
        model = keras.models.load_model(folder / "model.keras")
        assert {type(each).__module__.partition(".")[0] for each in within(model)} == {"keras"}


def within(model):
    """The layers and operations of a model, and of models within it."""
    for operation in model.operations:
        if isinstance(operation, keras.Model):
            yield from within(operation)
        yield operation


def test_an_export_that_answers_otherwise_is_not_left_behind(tiny_run, tmp_path, monkeypatch):
    import lensnet.export.keras_file as keras_file

    def write(served, folder):
        model = keras.models.clone_model(served.keras_model)  # of new weights
        model.save(folder / "model.keras")

    monkeypatch.setattr(keras_file, "write", write)
    with pytest.raises(LensnetError, match="differs from the run's model .* not kept"):
        export_run(tiny_run, "keras", tmp_path / "exported")
    assert not list(tmp_path.iterdir())


def test_what_a_converter_cannot_do_is_told_in_one_line(tiny_run, tmp_path, monkeypatch):
    import lensnet.export.keras_file as keras_file

    def write(served, folder):
        raise NotImplementedError("No rule for Foo.\nA long story.")

    monkeypatch.setattr(keras_file, "write", write)
    with pytest.raises(LensnetError) as refused:
        export_run(tiny_run, "keras", tmp_path / "exported")
    assert str(refused.value) == (
        "This model cannot be made a Keras model: No rule for Foo. Use --format saved_model."
    )


def test_a_run_folder_knows_its_exports(tmp_path):
    RUN.write_mark(tmp_path)
    for name, quantize in ALL:
        folder = tmp_path / "export" / export_name(name, quantize)
        folder.mkdir(parents=True)
        (folder / (FORMATS[name].file or "saved_model.pb")).write_text("")
        EXPORT.write_mark(folder)
    assert not RUN.foreign_files(tmp_path)
