"""Means of weights against NumPy, and that they are validated and saved, not trained on."""

import contextlib

import keras
import numpy as np
import pytest

from lensnet.config.averaging import ExponentialAverage, StochasticAverage
from lensnet.config.control import Checkpoints
from lensnet.interruption import Interruption
from lensnet.run_folder import RunFolder
from lensnet.training.pace import Pace
from lensnet.training.run_checkpoint import RunCheckpoint
from lensnet.training.weight_averaging import WeightAveraging

EPOCHS, STEPS = 4, 6
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(EPOCHS * STEPS * 4, 5)).astype("float32")
TARGETS = (IMAGES[:, :1] ** 2).astype("float32")


def network():
    keras.utils.set_random_seed(0)
    image = keras.Input((5,))
    x = keras.layers.BatchNormalization(momentum=0.5)(keras.layers.Dense(3)(image))
    # Dropout goes on as without the mean, too.
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Dropout(0.1)(x)))
    # Step by step in Python: there is nothing here whose tracing would pay.
    model.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=True)
    return model


def images_of(epoch):
    part = IMAGES[epoch * STEPS * 4 : (epoch + 1) * STEPS * 4]
    return part.reshape(STEPS, 4, 5)


class Recorder(keras.callbacks.Callback):
    """Notes the weights after each step, in the training and in each validation."""

    def __init__(self):
        super().__init__()
        self.trained, self.validated = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.trained.append(self.model.get_weights())

    def on_test_batch_end(self, batch, logs=None):
        self.validated.append(self.model.get_weights())


def train(model, *callbacks, first=0, last=EPOCHS):
    """Trains some epochs, each on its own part of the data."""
    for epoch in range(first, last):
        part = slice(epoch * STEPS * 4, (epoch + 1) * STEPS * 4)
        model.fit(
            IMAGES[part],
            TARGETS[part],
            batch_size=4,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=0,
            validation_data=(IMAGES[:4], TARGETS[:4]),
            callbacks=list(callbacks),
        )


def assert_equal(one, other, tolerance=0.0):
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("batches_per_step", [1, 3])
def test_exponential_average(batches_per_step):
    """Polyak's, with the decay of tf.train.ExponentialMovingAverage's `num_updates`."""
    model, recorder = network(), Recorder()
    averaging = WeightAveraging(ExponentialAverage(decay=0.7), model, EPOCHS, batches_per_step)
    train(model, recorder, averaging)
    seen = recorder.trained[batches_per_step - 1 :: batches_per_step]
    average = [weights.astype(float) for weights in seen[0]]
    for count, weights in enumerate(seen[1:], start=1):
        decay = min(0.7, (1 + count) / (10 + count))
        average = [decay * mean + (1 - decay) * w for mean, w in zip(average, weights, strict=True)]
    assert_equal([np.asarray(v) for v in averaging.variables], average, 1e-6)
    assert_equal(recorder.validated[-1], average, 1e-6)


def test_stochastic_weight_averaging():
    """The mean of the weights at the ends of epochs 2 to 4 (Izmailov et al. 2018, algorithm 1)."""
    model, recorder = network(), Recorder()
    section = StochasticAverage(start_epoch=2)
    train(model, recorder, WeightAveraging(section, model, EPOCHS, images_of=images_of))
    ends = [recorder.trained[(epoch + 1) * STEPS - 1] for epoch in range(EPOCHS)]
    assert_equal(recorder.validated[0], ends[0])
    # Kernel and bias of the dense layer before the normalisation, gamma and beta, its statistics.
    for epoch in range(1, EPOCHS):
        means = [np.mean(each, axis=0) for each in zip(*ends[1 : epoch + 1], strict=True)]
        seen = np.stack([batch @ means[0] + means[1] for batch in images_of(epoch)])
        means[4:6] = seen.mean(axis=1).mean(axis=0), seen.var(axis=1).mean(axis=0)
        assert_equal(recorder.validated[epoch], means, 2e-6)
    assert StochasticAverage().first_epoch(8) == 7
    assert StochasticAverage().first_epoch(1) == 1


@pytest.mark.parametrize("section", [ExponentialAverage(), StochasticAverage(start_epoch=1)])
def test_the_training_is_that_without_it(section):
    """Bit for bit: validation with the mean leaves nothing behind."""
    alone, averaged = network(), network()
    train(alone)
    train(averaged, WeightAveraging(section, averaged, EPOCHS, images_of=images_of))
    assert_equal(alone.get_weights(), averaged.get_weights())


def test_a_run_saves_the_mean_and_goes_on_with_it(tmp_path):
    """Through the checkpoint of a run, stopped after two epochs."""

    @contextlib.contextmanager
    def parts(name):
        model, run = network(), RunFolder(tmp_path / name)
        averaging = WeightAveraging(ExponentialAverage(decay=0.9), model, EPOCHS)
        with run.held("a test") as held:
            monitors = {"val_loss": "min"}
            pace = Pace(Checkpoints(), None, Interruption())
            yield (
                model,
                averaging,
                RunCheckpoint(run, None, lambda: model, monitors, held, pace, [averaging]),
            )

    recorder = Recorder()
    with parts("whole") as (model, averaging, checkpoint):
        train(model, recorder, averaging, checkpoint)
    saved = keras.models.load_model(tmp_path / "whole" / "model.keras", compile=False)
    assert_equal(saved.get_weights(), recorder.validated[checkpoint.history.best_epoch - 1])

    with parts("stopped") as (one, its_averaging, its_checkpoint):
        train(one, its_averaging, its_checkpoint, last=2)
    with parts("stopped") as (other, other_averaging, other_checkpoint):
        assert other_checkpoint.restore(other)
        train(other, other_averaging, other_checkpoint, first=2)
    assert_equal(other.get_weights(), model.get_weights())
    pairs = zip(averaging.variables, other_averaging.variables, strict=True)
    for mine, theirs in pairs:
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
