import keras
import numpy as np
import pytest

from lensnet.layers import FieldLayerNormalization
from lensnet.testing import randomize


@pytest.mark.parametrize(("group", "order"), [("c4", 4), ("d4", 8), ("c8", 8)])
def test_definition(group, order):
    inputs = (3 + 2 * np.random.default_rng(0).standard_normal((2, 3, 3, 24))).astype("float32")
    layer = FieldLayerNormalization(group, epsilon=1e-3)
    layer.build(inputs.shape)
    randomize(layer)
    gamma, beta = (keras.ops.convert_to_numpy(w) for w in (layer.gamma, layer.beta))
    expected = np.empty(inputs.shape)
    for *position, channel in np.ndindex(inputs.shape):
        values = inputs[tuple(position)].astype("float64")
        normal = (values[channel] - values.mean()) / np.sqrt(values.var() + 1e-3)
        expected[(*position, channel)] = normal * gamma[channel // order] + beta[channel // order]
    actual = keras.ops.convert_to_numpy(layer(inputs))
    np.testing.assert_allclose(actual, expected, atol=3e-6)


def test_equal_weights_are_stock_layer_normalization():
    inputs = np.random.default_rng(0).standard_normal((2, 3, 3, 8)).astype("float32")
    stock = keras.layers.LayerNormalization(epsilon=1e-6)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(FieldLayerNormalization("c4")(inputs)),
        keras.ops.convert_to_numpy(stock(inputs)),
        atol=1e-6,
    )


def test_half_precision_does_not_overflow():
    inputs = np.full((2, 4, 4, 8), 3000.0, "float16")
    inputs[..., 0] = -3000
    outputs = FieldLayerNormalization("c4", dtype="mixed_float16")(inputs)
    outputs = keras.ops.convert_to_numpy(outputs)
    # One value in eight lies sqrt(7) standard deviations below the mean.
    assert outputs.dtype == "float16"
    np.testing.assert_allclose(outputs[..., 0].astype("float32"), -np.sqrt(7), rtol=1e-3)


def test_without_scale_and_offset():
    layer = FieldLayerNormalization("c4", center=False, scale=False)
    layer.build((None, 3, 3, 8))
    assert layer.weights == []
