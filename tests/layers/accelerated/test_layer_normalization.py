"""Layer normalisation in training against Keras's own."""

import keras
import numpy as np
import pytest
from backends import by_the_tape, only_on_tensorflow
from keras import ops

from lensnet.layers import FieldLayerNormalization, accelerate
from lensnet.layers.accelerated.layer_normalization import layer_normalization
from lensnet.testing import randomize

SHAPE = (3, 1, 65, 192)


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def values(shape=SHAPE):
    """With another mean and spread at each position."""
    rng = np.random.default_rng(0)
    offset, spread = rng.uniform(-3, 3, (*shape[:-1], 1)), rng.uniform(0.1, 3, (*shape[:-1], 1))
    return (offset + spread * rng.standard_normal(shape)).astype("float32")


@by_the_tape
@pytest.mark.parametrize("with_weights", [True, False])
def test_answers_and_gradients_are_kerass(with_weights):
    import tensorflow as tf

    rng = np.random.default_rng(1)
    x = tf.constant(values())
    weights = [tf.constant(rng.standard_normal(192).astype("float32")) for _ in range(2)]
    mixture = tf.constant(rng.standard_normal(SHAPE).astype("float32"))
    found = []
    for training in (True, False):
        with tf.GradientTape() as tape:
            tape.watch([x, *weights])
            given = weights if with_weights else (None, None)
            outputs = layer_normalization(x, *given, 1e-6, training)
            total = tf.reduce_sum(outputs * mixture)
        sources = [x, *weights] if with_weights else [x]
        found.append([outputs, *tape.gradient(total, sources)])
    for actual, expected in zip(*map(lambda tensors: map(numpy, tensors), found), strict=True):
        assert np.abs(actual - expected).max() <= 2e-5 * np.abs(expected).max()


@only_on_tensorflow("on other backends it is Keras's own layer")
@pytest.mark.parametrize("axis", [-1, 3, [1, 3]])
def test_a_stock_layer_trains_alike(axis):
    def trained(fast):
        image = keras.Input(SHAPE[1:])
        layer = keras.layers.LayerNormalization(axis=axis, name="norm")
        model = keras.Model(image, keras.layers.Flatten()(layer(image)))
        randomize(model)
        model = accelerate(model) if fast else model
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
        model.train_on_batch(values(), np.zeros((3, 65 * 192), "float32"))
        return [numpy(weight) for weight in model.weights]

    for actual, expected in zip(trained(True), trained(False), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_fields_answer_in_training_as_otherwise():
    layer = FieldLayerNormalization("d4")
    layer.build(SHAPE)
    randomize(layer)
    np.testing.assert_allclose(
        numpy(layer(values(), training=True)), numpy(layer(values())), atol=1e-5
    )
