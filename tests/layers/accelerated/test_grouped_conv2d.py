"""GroupedConv2D against the stock layer."""

import keras
import numpy as np
import pytest

from lensnet.layers import GroupedConv2D
from lensnet.testing import randomize


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def images(shape=(2, 9, 8, 32)):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def pair(inputs, *arguments, **options):
    """Our layer and the stock one, of the same random weights."""
    ours, stock = (kind(*arguments, **options) for kind in (GroupedConv2D, keras.layers.Conv2D))
    for layer in (ours, stock):
        layer.build(inputs.shape)
    randomize(ours)
    stock.set_weights(ours.get_weights())
    return ours, stock


@pytest.mark.parametrize(
    "options",
    [
        {"groups": 8, "padding": "same"},
        {"groups": 2, "padding": "same", "strides": 2, "activation": "relu"},
        {"groups": 32, "padding": "valid", "dilation_rate": (2, 1), "use_bias": False},
        {"groups": 1},
    ],
)
def test_definition(options):
    """One plain convolution for each group, in double precision."""
    inputs = images().astype("float64")
    layer, stock = pair(inputs, 64, (3, 2), dtype="float64", **options)
    groups, (kernel, *bias) = layer.groups, map(numpy, layer.weights)
    plain = {k: v for k, v in options.items() if k not in ("groups", "use_bias", "activation")}
    expected = np.concatenate(
        [
            numpy(keras.ops.conv(seen, filters, **plain))
            for seen, filters in zip(
                np.split(inputs, groups, axis=-1), np.split(kernel, groups, axis=-1), strict=True
            )
        ],
        axis=-1,
    )
    expected = expected + (bias[0] if bias else 0)
    if "activation" in options:
        expected = np.maximum(expected, 0)
    actual = numpy(layer(inputs))
    assert actual.shape == layer.compute_output_shape(inputs.shape) == expected.shape
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


def test_it_is_the_stock_layer():
    inputs = images()
    ours, stock = pair(inputs, 64, 3, strides=2, padding="same", groups=8, name="conv")
    # Sums of 36 terms of order 1/6, in another order.
    np.testing.assert_allclose(numpy(ours(inputs)), numpy(stock(inputs)), atol=2e-6)
    assert ours.get_config() == stock.get_config()
    assert [w.shape for w in ours.weights] == [w.shape for w in stock.weights]


def test_channels_first():
    """As Keras computes it."""
    if keras.backend.backend() == "tensorflow":
        pytest.skip("TensorFlow has no such convolution on a CPU.")
    inputs = images((2, 32, 9, 8))
    ours, stock = pair(inputs, 64, 3, groups=8, data_format="channels_first")
    np.testing.assert_allclose(numpy(ours(inputs)), numpy(stock(inputs)), atol=2e-6)


def test_images_of_any_size():
    image = keras.Input((None, None, 32))
    model = keras.Model(image, GroupedConv2D(64, 3, groups=8)(image))
    assert model.output_shape == (None, None, None, 64)
    assert tuple(model(images()).shape) == (2, 7, 6, 64)


def test_a_saved_model_is_the_stock_one(tmp_path):
    """Read once and saved again, its file is one that Keras wrote."""
    layers = [keras.layers.Conv2D(32, 1), GroupedConv2D(64, 3, groups=8), keras.layers.Conv2D(2, 1)]
    model = keras.Sequential([keras.Input((9, 8, 32)), *layers])
    randomize(model)
    for name in ("once", "twice"):
        path = tmp_path / f"{name}.keras"
        model.save(path)
        expected, model = numpy(model(images())), keras.models.load_model(path)
        assert type(model.layers[1]) is keras.layers.Conv2D
        np.testing.assert_allclose(numpy(model(images())), expected, atol=1e-5)
    assert "lensnet" not in model.to_json()


def test_channels_that_cannot_be_cut():
    with pytest.raises(ValueError, match="evenly divisible"):
        GroupedConv2D(64, 3, groups=3)
    with pytest.raises(ValueError, match="evenly divisible"):
        GroupedConv2D(63, 3, groups=3).build((None, 9, 9, 32))
