"""A symmetric network is exact in float32, and less so in the half precision it was trained in."""

import csv
import json
import shutil

import keras
import numpy as np
import pytest
import yaml
from short_networks import build_short

from lensnet.evaluation.evaluating import evaluate_run
from lensnet.evaluation.precision import in_float32
from lensnet.evaluation.run_invariance import measure_invariance
from lensnet.layers import GroupAveraged
from lensnet.run_folder import RunFolder
from lensnet.symmetry import Group
from lensnet.testing import equivariance_error, randomize

IMAGES = np.random.default_rng(0).standard_normal((2, 33, 33, 1)).astype("float32")


def in_half_precision(model):
    """The same network, as `training.precision: mixed_bfloat16` would have built it."""
    config = json.dumps(keras.saving.serialize_keras_object(model))
    config = config.replace('"name": "float32"', '"name": "mixed_bfloat16"')
    half = keras.saving.deserialize_keras_object(json.loads(config))
    half.set_weights(model.get_weights())
    return half


@pytest.mark.parametrize("symmetry", ["d4", "c8"])
def test_the_same_weights_in_float32_are_exact(symmetry):
    model = build_short("resnet18", symmetry, 33)
    randomize(model, gain=2**0.5)
    half = in_half_precision(model)
    answers = keras.ops.convert_to_numpy(model(IMAGES))
    # The control: half precision keeps two to three digits.
    rounded = keras.ops.convert_to_numpy(keras.ops.cast(half(IMAGES), "float32"))
    assert 1e-3 < np.abs(rounded - answers).max() / np.abs(answers).max() < 0.1
    single = in_float32(half)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(single(IMAGES)), answers)
    group = Group.parse("d4" if symmetry == "d4" else "c4")
    assert equivariance_error(single, IMAGES, group, outputs="invariant") < 1e-5
    assert in_float32(single) is single


def test_networks_within_networks():
    inner = keras.Sequential(
        [keras.Input((5, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(2)], name="inner"
    )
    single = in_float32(in_half_precision(GroupAveraged(inner, "c4")))
    assert {layer.compute_dtype for layer in single.layers} == {"float32"}


def sum_of_the_corners():
    """Symmetric but for the order of the sum: half precision shows its rounding on any machine."""
    image = keras.Input((32, 32, 1))
    corners = [
        keras.layers.Cropping2D((rows, columns))(image)
        for rows in ((0, 31), (31, 0))
        for columns in ((0, 31), (31, 0))
    ]
    total = keras.layers.Flatten()(keras.layers.Add()(corners))
    return keras.Model(image, keras.layers.Activation("sigmoid")(total))


def test_a_run_trained_in_half_precision(tiny_run, tmp_path):
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    in_half_precision(sum_of_the_corners()).save(run.path / "model.keras")

    as_trained = measure_invariance(run, 4).sets["right angles"]
    in_full = measure_invariance(run, 4, precision="float32").sets["right angles"]
    assert as_trained.rotation_std > 1e-4
    assert in_full.rotation_std < 1e-7
    # As the experiment says, too, and of what rotates alone.
    settings = yaml.safe_load(run.experiment_file.read_text())
    assert settings["evaluation"]["precision"] == "as_trained"
    settings["evaluation"]["precision"] = "float32"
    run.experiment_file.write_text(yaml.safe_dump(settings))
    metrics = evaluate_run(run)["test"]
    assert {name: metrics[name] for name in in_full.metrics()} == in_full.metrics()
    with run.predictions_file.open(newline="") as stream:
        scores = [float(row["score_ring"]) for row in csv.DictReader(stream)]
    np.testing.assert_allclose(scores, as_trained.outputs[0, :, 0], rtol=1e-6)
    assert np.abs(scores - in_full.outputs[0, :, 0]).max() > 1e-4
