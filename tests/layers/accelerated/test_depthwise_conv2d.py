"""DepthwiseConv2D against the stock layer."""

import keras
import numpy as np
import pytest

from lensnet.layers import DepthwiseConv2D, fold
from lensnet.testing import randomize


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def images(shape=(3, 12, 12, 4)):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 5, "padding": "same"},
        {"kernel_size": 5, "strides": 2, "activation": "relu"},
        {"kernel_size": (3, 7), "padding": "same", "use_bias": False},
        {"kernel_size": 5, "depth_multiplier": 2, "strides": 2, "padding": "same"},
        {"kernel_size": 5, "dilation_rate": 2},
        {"kernel_size": 3, "dtype": "mixed_bfloat16"},
    ],
)
def test_answers_are_kerass(options, training):
    ours, stock = (kind(**options) for kind in (DepthwiseConv2D, keras.layers.DepthwiseConv2D))
    for layer in (ours, stock):
        layer.build(images().shape)
    randomize(ours)
    stock.set_weights(ours.get_weights())
    actual, expected = ours(images(), training=training), stock(images())
    assert actual.dtype == expected.dtype
    assert tuple(actual.shape) == ours.compute_output_shape(images().shape)
    actual, expected = (numpy(keras.ops.cast(tensor, "float32")) for tensor in (actual, expected))
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("strides", [1, 2])
def test_a_model_trains_as_with_kerass(strides):
    def trained(kind):
        keras.utils.set_random_seed(0)
        image = keras.Input((12, 12, 4))
        x = kind(5, padding="same", strides=strides, name="first")(image)
        x = keras.layers.Activation("tanh")(kind(7, padding="same", name="second")(x))
        model = keras.Model(image, keras.layers.Flatten()(x))
        model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=False)
        shape = (5, int(np.prod(x.shape[1:])))
        targets = np.random.default_rng(1).standard_normal(shape)
        model.fit(images((5, 12, 12, 4)), targets, batch_size=3, epochs=2, verbose=0, shuffle=False)
        return model.get_weights()

    ours, stock = trained(DepthwiseConv2D), trained(keras.layers.DepthwiseConv2D)
    for mine, theirs in zip(ours, stock, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_saved_loaded_and_folded(tmp_path):
    layers = [
        keras.Input((12, 12, 4)),
        DepthwiseConv2D(5, padding="same", use_bias=False, name="conv"),
        keras.layers.BatchNormalization(),
    ]
    model = keras.Sequential(layers)
    randomize(model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.get_layer("conv")) is keras.layers.DepthwiseConv2D
    np.testing.assert_array_equal(numpy(again(images())), numpy(model(images())))
    folded = fold(model)
    assert [type(layer) for layer in folded.layers[1:]] == [keras.layers.DepthwiseConv2D]
    np.testing.assert_allclose(
        numpy(folded(images())), numpy(model(images())), rtol=1e-5, atol=1e-5
    )
