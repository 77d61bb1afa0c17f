"""`evaluation.average_over`, through a run and what is done with its model."""

import csv
import json

import keras
import numpy as np
import pytest
from lens_images import experiment_on
from pydantic import ValidationError

import lensnet
from lensnet import models
from lensnet.config import Experiment
from lensnet.data import prepare
from lensnet.errors import ConfigurationError
from lensnet.export import export_run
from lensnet.layers import GroupAveraged
from lensnet.prediction import Predictor
from lensnet.training import fit


def experiment(folder, data_dir, group, **sections):
    content = experiment_on(
        folder,
        data_dir,
        model={"symmetry": "none"},
        training={"epochs": 1},
        **sections,
    )
    return Experiment.model_validate({**content, "evaluation": {"average_over": group}})


@pytest.fixture(scope="module")
def run(image_folder, data_dir, tmp_path_factory):
    """Of a plain network, averaged."""
    path = tmp_path_factory.mktemp("averaged") / "run"
    return fit(experiment(image_folder, data_dir, "c4"), path).path


@pytest.fixture
def alone(run):
    """The network that was trained, without the mean."""
    network = models.create("tiny", input_shape=(32, 32, 1), num_outputs=1, width=0.125)
    network.set_weights(lensnet.load(run).get_weights())
    return keras.Sequential([network, keras.layers.Activation("sigmoid")])


def images(run):
    with (run / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    source = lensnet.config.load(run / "experiment.yaml").source_dir
    stack = np.stack([np.load(source / f"{row['id']}.npy") for row in rows])[..., None]
    return stack, np.array([[float(row["score_ring"])] for row in rows])


def test_the_averaged_model_is_the_trained_network_averaged(run, alone):
    assert json.loads((run / "metrics.json").read_text())["test"]["rotation_std"] <= 1e-5
    averaged = lensnet.load(run)
    assert isinstance(averaged, GroupAveraged) and averaged.group == "c4"
    stack = np.random.default_rng(0).random((3, 32, 32, 1), "float32")
    rotated = [alone.predict_on_batch(np.rot90(stack, k, axes=(1, 2)).copy()) for k in range(4)]
    np.testing.assert_allclose(
        averaged.predict_on_batch(stack), np.mean(rotated, axis=0), atol=1e-6
    )
    assert np.std(rotated, axis=0).max() > 1e-4


def test_prediction_and_export_average_too(run, tmp_path):
    import tensorflow as tf

    stack, scores = images(run)
    predictor = Predictor.open(run)
    exported = tf.saved_model.load(str(export_run(run, "saved_model", tmp_path / "saved")))
    serve = exported.signatures["serving_default"]
    for k in range(4):
        rotated = np.rot90(stack, k, axes=(1, 2)).copy()
        np.testing.assert_allclose(predictor(rotated), scores, atol=1e-5)
        answers = serve(images=tf.constant(rotated))["probabilities"].numpy()
        np.testing.assert_allclose(answers, scores, atol=1e-5)


def test_validation_during_training_sees_the_network_alone(run, alone, image_folder, data_dir):
    data = prepare(experiment(image_folder, data_dir, "c4"))
    images, targets = next(iter(data.batches("validation", 100)))
    loss = keras.losses.BinaryCrossentropy()(targets, alone.predict_on_batch(images))
    with (run / "history.csv").open(newline="", encoding="utf-8") as stream:
        (epoch,) = csv.DictReader(stream)
    assert float(epoch["val_loss"]) == pytest.approx(float(loss), rel=1e-5)


def test_another_network_can_start_from_its_weights(run, alone):
    """As `model.weights: RUN` does."""
    network = models.create(
        "tiny", input_shape=(32, 32, 1), num_outputs=1, width=0.125, weights=str(run)
    )
    for one, same in zip(alone.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("group", ["c8", "c3", "rot4", "C4", None])
def test_other_names_are_refused_with_the_choices(image_folder, data_dir, group):
    with pytest.raises(ValidationError, match="'none', 'c2', 'c4', 'd1', 'd2' or 'd4'"):
        experiment(image_folder, data_dir, group)


def test_images_that_are_not_square_are_refused_before_the_training(data_dir, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("blob", "ring"):
        (tmp_path / "folder" / name).mkdir(parents=True)
        for index in range(10):
            np.save(tmp_path / "folder" / name / f"{index}.npy", rng.random((20, 24), "float32"))
    wide = experiment(tmp_path / "folder", data_dir, "d4", data={"augmentation": ["flip"]})
    with pytest.raises(ConfigurationError, match="d4 rotates images by 90 degrees") as caught:
        fit(wide, tmp_path / "run")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()
