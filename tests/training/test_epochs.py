"""The loop over epochs does what Keras's own does, and begins anywhere."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lensnet.training.checkpoint import metric_values
from lensnet.training.epochs import train_epochs
from lensnet.training.keras_replicas import fitting_with_replicas

EPOCHS, STEPS = 2, 4


def data(first=0):
    """Batches of other sizes, from one of them on."""
    random = np.random.default_rng(0)
    batches = [
        (random.normal(size=(3 + n % 3, 2)), random.integers(0, 2, (3 + n % 3, 1)))
        for n in range(EPOCHS * STEPS)
    ]
    signature = (tf.TensorSpec((None, 2)), tf.TensorSpec((None, 1)))
    return tf.data.Dataset.from_generator(
        lambda: (tuple(part.astype("float32") for part in batch) for batch in batches[first:]),
        output_signature=signature,
    )


VALIDATION = (np.linspace(-1, 1, 10, dtype="float32").reshape(5, 2), np.ones((5, 1), "float32"))


class Seen(keras.callbacks.Callback):
    """Takes down what it is told, and stops or remembers where asked."""

    def __init__(self, at=None, restored=None):
        super().__init__()
        self.told, self.at, self.restored, self.kept = [], at, restored, None

    def on_epoch_begin(self, epoch, logs=None):
        for variable, value in zip(self.model.metrics_variables, self.restored or [], strict=False):
            variable.assign(value)
        self.restored = None
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self.told.append((self.epoch, batch, float(logs["loss"]), float(logs["auc"])))
        if (self.epoch, batch) == self.at:
            self.kept = metric_values(self.model), self.model.get_weights()

    def on_epoch_end(self, epoch, logs=None):
        self.told.append((epoch, {name: float(value) for name, value in logs.items()}))


@pytest.fixture
def strategy():
    return tf.distribute.OneDeviceStrategy("/cpu:0")


def made(strategy):
    with strategy.scope():
        model = keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")]
        )
        auc = keras.metrics.AUC(num_thresholds=7, name="auc")
        # Step by step in Python: there is nothing here whose tracing would pay.
        model.compile(
            keras.optimizers.SGD(0.1), "binary_crossentropy", metrics=[auc], run_eagerly=True
        )
    return model


def validation():
    return tf.data.Dataset.from_tensors(VALIDATION)


def trained(strategy, seen, first=(0, 0), weights=None):
    model = made(strategy)
    with fitting_with_replicas(model, strategy):
        if weights is not None:
            model.set_weights(weights)
        train_epochs(
            model,
            data(first[0] * STEPS + first[1]),
            validation(),
            [seen],
            epochs=EPOCHS,
            steps_per_epoch=STEPS,
            first_epoch=first[0],
            first_step=first[1],
        )
    return model


def test_it_tells_and_trains_as_keras_does(strategy):
    ours, theirs = Seen(), Seen()
    model = trained(strategy, ours)
    stock = made(strategy)
    stock.fit(
        data(),
        validation_data=validation(),
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        callbacks=[theirs],
        shuffle=False,
        verbose=0,
    )
    assert ours.told == theirs.told
    for mine, their in zip(model.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, their)


@pytest.mark.parametrize("at", [(0, 1), (1, STEPS - 1)], ids=["within", "only the validation left"])
def test_it_goes_on_from_any_step(strategy, at):
    whole = Seen(at)
    trained(strategy, whole)
    metrics, weights = whole.kept
    rest = Seen(restored=metrics)
    trained(strategy, rest, first=(at[0], at[1] + 1), weights=weights)
    done = [told[:2] for told in whole.told].index(at) + 1
    assert rest.told == whole.told[done:]


def test_an_epoch_that_is_ended_is_validated(strategy):
    class Ending(Seen):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            self.model.stop_training = batch == 1

    seen = Ending()
    trained(strategy, seen)
    assert [told[:2] for told in seen.told[:2]] == [(0, 0), (0, 1)]
    assert len(seen.told) == 3 and "val_loss" in seen.told[2][1]
