"""The range test finds where training becomes unstable, and says a rate below it."""

import csv

import keras
import numpy as np
import pytest
from lens_images import experiment_on

from lensnet.config import Experiment
from lensnet.errors import RunError
from lensnet.overwriting import LEARNING_RATE_TEST
from lensnet.training import find_learning_rate
from lensnet.training.learning_rate_curve import LearningRateCurve
from lensnet.training.learning_rate_test import exponential_ramp, measure_curve


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def curve_of_a_quadratic(curvature, steps=120, batches_per_step=1, bad_from=None):
    """The curve of gradient descent on `curvature / 2 * (w - target)^2`, targets of variance 1."""
    import tensorflow as tf

    inputs = keras.Input((1,))
    layer = keras.layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([np.full((1, 1), 10.0, "float32")])
    summed = batches_per_step if batches_per_step > 1 else None
    ramp = exponential_ramp(steps, batches_per_step)
    sgd = keras.optimizers.SGD(ramp, gradient_accumulation_steps=summed)
    # The mean of squares has twice the curvature of its half.
    model.compile(sgd, lambda y, p: curvature / 2 * keras.ops.mean((y - p) ** 2), jit_compile=False)
    count = (steps + 1) * batches_per_step
    targets = np.random.default_rng(0).standard_normal((count, 1, 1)).astype("float32")
    if bad_from is not None:
        targets[bad_from:] = np.nan
    batches = tf.data.Dataset.from_tensor_slices((np.ones_like(targets), targets))
    return measure_curve(model, batches, steps=steps, batches_per_step=batches_per_step)


@pytest.mark.parametrize(("curvature", "summed"), [(2000.0, 1), (20.0, 3)])
def test_a_quadratic_diverges_beyond_two_over_its_curvature(curvature, summed):
    curve = curve_of_a_quadratic(curvature, batches_per_step=summed)
    edge = 2 / curvature
    assert curve.end == "the loss exploded"
    assert edge < curve.rates[-1] < 3 * edge
    assert edge / 100 < curve.suggestion < edge
    assert edge / 100 < curve.steepest_rate < edge


def test_a_loss_that_is_not_a_number_ends_it():
    curve = curve_of_a_quadratic(20.0, bad_from=60)
    assert curve.end == "the loss became nan"
    assert len(curve.losses) == 59 and np.isfinite(curve.losses).all()


def test_a_loss_that_never_falls_suggests_nothing():
    rates = np.geomspace(1e-7, 10, 200)
    scatter = np.random.default_rng(0).normal(1, 0.1, 200)
    flat = LearningRateCurve(rates, scatter, 200)
    rising = LearningRateCurve(rates, scatter + np.linspace(0, 5, 200), 200)
    falling = LearningRateCurve(rates, scatter - np.minimum(np.linspace(0, 1, 200), 0.5), 200)
    assert flat.suggestion is rising.suggestion is None
    assert falling.suggestion is not None


def test_smoothing_shifts_nothing():
    """As a running mean would: the lowest of a symmetric valley is its middle."""
    rates = np.geomspace(1e-7, 10, 301)
    valley = LearningRateCurve(rates, np.abs(np.arange(301) - 200.0), 301)
    assert valley.lowest == 200


def test_of_an_experiment(image_folder, data_dir, tmp_path):
    content = experiment_on(
        image_folder,
        data_dir,
        training={
            "optimizer": {"name": "ranger"},
            "gradient_accumulation_steps": 5,  # of five batches an epoch
            "weight_averaging": {"name": "ema"},
            "seeds": [1, 2],
        },
    )
    experiment, folder = Experiment.model_validate(content), tmp_path / "rate"
    curve = find_learning_rate(experiment, folder, steps=12)
    table = rows(folder / "learning_rate.csv")
    assert len(table) == len(curve.rates) <= 12
    assert float(table[0]["learning_rate"]) == pytest.approx(1e-7)
    assert {path.name for path in folder.iterdir()} == {
        "lensnet.json", "learning_rate.csv", "learning_rate.png",
    }  # fmt: skip
    with pytest.raises(RunError, match="Replace it by --overwrite"):
        find_learning_rate(experiment, folder)
    (folder / "thesis.txt").write_text("three years of work")
    with pytest.raises(RunError, match="left alone"):
        find_learning_rate(experiment, folder, overwrite=True)
    assert LEARNING_RATE_TEST.is_marked(folder)
