import csv

import keras
import numpy as np
import pytest
import tensorflow as tf
from lens_images import experiment_on

from lensnet.config import Experiment
from lensnet.errors import RunError
from lensnet.export import export_run
from lensnet.training import fit


def test_an_export_carries_the_whole_preprocessing(image_folder, data_dir, tmp_path):
    """The central cut, clip, stretch, resizing, scale by the training split, repetition."""
    data = {
        "crop": 26,
        "image_size": 40,
        "repeat_channels": 3,
        "normalization": {
            "clip_percentiles": [1, 99.5],
            "stretch": "asinh",
            "scale": "dataset_standard",
        },
        "augmentation": ["flip", "rotate"],
    }
    training = {"epochs": 1, "batch_size": 16}
    model = {"symmetry": "none"}
    wanted = experiment_on(image_folder, data_dir, data=data, training=training, model=model)
    run = fit(Experiment.model_validate(wanted), tmp_path / "run").path
    model = keras.models.load_model(run / "model.keras")
    assert model.input_shape == (None, 40, 40, 3)
    exported = tf.saved_model.load(str(export_run(run, "saved_model", tmp_path / "exported")))
    with (run / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        predictions = list(csv.DictReader(stream))
    images = np.stack([np.load(image_folder / f"{row['id']}.npy") for row in predictions])
    scores = exported.signatures["serving_default"](images=tf.constant(images[..., None]))
    expected = np.array([[float(row["score_ring"])] for row in predictions])
    np.testing.assert_allclose(scores["probabilities"], expected, atol=1e-5)
    assert np.ptp(expected) > 0
    written = (run / "experiment.yaml").read_text()
    assert "softening: 0.1" in written and "degrees: 15.0" in written
    assert "asinh" in (run / "report.html").read_text()


def test_an_export_is_never_overwritten_unasked(tiny_run, tmp_path):
    target = tmp_path / "exported"
    target.mkdir()
    (target / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="exists already"):
        export_run(tiny_run, "saved_model", target)
    assert (target / "mine.txt").exists()


def test_no_such_run(tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        export_run(tmp_path / "none", "saved_model")
