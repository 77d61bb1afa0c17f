"""Activation against the stock layer."""

import keras
import numpy as np
import pytest
from backends import by_the_tape
from keras import ops

from lensnet.layers import Activation, fold

LARGE = (2, 32, 16, 16)
FAST = ("silu", "hard_silu", "gelu")
NAMES = ("relu", "softmax", "tanh", "leaky_relu", *FAST)


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def values(shape=LARGE, dtype="float32"):
    """Of both tails, the kinks at 3 and -3, zero and what lies between."""
    spread = np.linspace(-120, 120, 401)
    near = np.linspace(-4, 4, 401)
    special = [-3, 3, 0, -0.0, 1e-30, -1e-30, 6, -6]
    return np.resize(np.concatenate([spread, near, special]), shape).astype(dtype)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_answers_are_kerass(name, dtype, training):
    inputs = values(dtype="float64" if dtype == "float64" else "float32")
    ours, stock = (kind(name, dtype=dtype) for kind in (Activation, keras.layers.Activation))
    actual, expected = ours(inputs, training=training), stock(inputs)
    assert actual.dtype == expected.dtype and tuple(actual.shape) == inputs.shape
    actual, expected = (numpy(ops.cast(tensor, "float64")) for tensor in (actual, expected))
    np.testing.assert_allclose(actual, expected, rtol=2e-6, atol=1e-6)


@by_the_tape
@pytest.mark.parametrize("name", FAST)
def test_the_gradient_is_the_definitions(name):
    """By central differences in double precision, but at the kinks, where it is Keras's."""
    import tensorflow as tf

    inputs = tf.constant(values(dtype="float64"))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        outputs = Activation(name, dtype="float64")(inputs, training=True)
        stock = keras.layers.Activation(name, dtype="float64")(inputs)
    actual = numpy(tape.gradient(outputs, inputs))
    # TensorFlow has the root of 2 of GELU in single precision.
    np.testing.assert_allclose(actual, numpy(tape.gradient(stock, inputs)), rtol=1e-7, atol=1e-8)
    activation, step = keras.activations.get(name), 1e-5
    derivative = numpy(activation(inputs + step) - activation(inputs - step)) / (2 * step)
    smooth = np.abs(np.abs(numpy(inputs)) - 3) > 2 * step
    np.testing.assert_allclose(actual[smooth], derivative[smooth], atol=1e-7)
    assert np.isfinite(actual).all()


@by_the_tape
@pytest.mark.parametrize("name", FAST)
def test_the_gradient_has_a_gradient(name):
    import tensorflow as tf

    def second(kind):
        inputs = tf.constant(np.linspace(-2.9, 2.9, 8192)[None])
        layer = kind(name, dtype="float64")
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                outputs = layer(inputs, training=True)
            first = inner.gradient(outputs, inputs)
        return numpy(outer.gradient(first, inputs))

    class Stock(keras.layers.Activation):
        def call(self, inputs, training=None):
            return super().call(inputs)

    np.testing.assert_allclose(second(Activation), second(Stock), rtol=1e-7, atol=2e-8)


def test_a_model_trains_as_with_kerass():
    """By `fit`, over batches of two sizes."""

    def trained(kind):
        keras.utils.set_random_seed(0)
        image = keras.Input((32, 32, 2))
        x = kind("silu")(keras.layers.Conv2D(8, 3, padding="same")(image))
        x = kind("gelu")(keras.layers.Conv2D(8, 3)(x))
        x = keras.layers.GlobalAveragePooling2D()(kind("hard_silu")(x))
        model = keras.Model(image, keras.layers.Dense(1)(x))
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
        rng = np.random.default_rng(0)
        images, targets = rng.standard_normal((10, 32, 32, 2)), rng.standard_normal((10, 1))
        model.fit(images, targets, batch_size=4, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    for ours, stock in zip(trained(Activation), trained(keras.layers.Activation), strict=True):
        np.testing.assert_allclose(ours, stock, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("activation", [*NAMES, keras.activations.elu])
def test_saved_loaded_and_folded(tmp_path, activation):
    image = keras.Input((8, 8, 2))
    model = keras.Model(image, Activation(activation, name="act")(image))
    images = values((2, 8, 8, 2))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.get_layer("act")) is keras.layers.Activation
    folded = fold(model)
    assert type(folded.get_layer("act")) is keras.layers.Activation
    for other in (again, folded):
        np.testing.assert_array_equal(numpy(other(images)), numpy(model(images)))
